"""No clock of a worker that can be set decides who may act: the database's does, and the time since boot."""

import ast
import inspect
import time
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orders.models import WorkerLease
from orders.services import leases, processes
from orders.services.leases import Fence, LeaseLost, expire_lease, hold_lease, renew_leases, take_lease
from tasks import host
from tasks.fleet import process, slots, supervisor
from tasks.fleet.session import TraderSession
from tests.factories.traders import make_desk

DAY_SECONDS = 86_400.0
WALL_CLOCKS = {"time", "time_ns", "now", "utcnow", "today", "localtime", "gmtime"}


def wall_clock_calls(module: ModuleType) -> list[str]:
    """Return the calls in a module that read a clock which somebody can set."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    names = [getattr(call.func, "attr", getattr(call.func, "id", "")) for call in calls]
    return [name for name in names if name in WALL_CLOCKS]


@pytest.mark.parametrize("module", [leases, slots, process, supervisor, processes, host])
def test_leases_deadlines_and_ages_of_processes_read_no_wall_clock(module: ModuleType) -> None:
    assert wall_clock_calls(module) == []


def test_that_scan_sees_a_wall_clock() -> None:
    from orders.services import submission

    assert "now" in wall_clock_calls(submission)


@pytest.fixture(params=[DAY_SECONDS, -DAY_SECONDS], ids=["a day ahead", "a day behind"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Set this process's wall clock wrong."""
    real_time, real_now = time.time, timezone.now
    monkeypatch.setattr(time, "time", lambda: real_time() + request.param)
    monkeypatch.setattr(timezone, "now", lambda: real_now() + timezone.timedelta(seconds=request.param))
    assert abs(time.time() - real_time() - request.param) < 5
    yield request.param


def take(user_id: int, worker: str) -> Fence | None:
    return take_lease(user_id=user_id, worker=worker, host="h", pid=1)


@pytest.mark.django_db
def test_a_wrong_clock_neither_ends_nor_prolongs_a_lease(wrong_clock: float) -> None:
    user_id = make_desk().user.id
    fence = take(user_id, "a")
    assert fence is not None
    assert take(user_id, "b") is None
    with transaction.atomic():
        hold_lease(fence)
    assert renew_leases([(user_id, fence.epoch)]) == {user_id}
    lease = WorkerLease.objects.get(user=user_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM %s - now())", [lease.expires_at])
        assert 0 < float(cursor.fetchone()[0]) <= 15


@pytest.mark.django_db
def test_a_lease_that_has_ended_stays_so_whatever_the_clock_says(wrong_clock: float) -> None:
    user_id = make_desk().user.id
    old = take(user_id, "a")
    assert old is not None
    expire_lease(user_id=user_id, epoch=old.epoch)
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(old)
    assert renew_leases([(user_id, old.epoch)]) == set()
    new = take(user_id, "b")
    assert new is not None and new.epoch == old.epoch + 1
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(old)


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [-2, 2])
def test_a_database_clock_that_jumped_leaves_one_holder(hours: int) -> None:
    """A jump of the database's clock is a jump of every lease's end against it, the other way."""
    user_id = make_desk().user.id
    first = take(user_id, "a")
    assert first is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_workerlease SET expires_at = expires_at + make_interval(hours => %s) WHERE user_id = %s",
            [hours, user_id],
        )
    second = take(user_id, "b")
    holders = []
    for fence in filter(None, (first, second)):
        try:
            with transaction.atomic():
                hold_lease(fence)
            holders.append(fence)
        except LeaseLost:
            continue
    assert len(holders) == 1
    assert (second is not None) == (hours < 0)


def slot(deadline: float) -> slots.Slot:
    made = slots.Slot()
    made.deadline = deadline
    return made


@pytest.mark.parametrize(("left_seconds", "may_send"), [(5.0, True), (0.0, False), (-1.0, False)])
def test_the_last_look_before_the_socket_is_by_the_time_since_boot(
    wrong_clock: float, left_seconds: float, may_send: bool
) -> None:
    session = TraderSession(Fence(1, "w", "h", 1, 1), slot(slots.boottime() + left_seconds))
    if may_send:
        session.before_send()
    else:
        with pytest.raises(LeaseLost):
            session.before_send()


def test_the_time_since_boot_is_the_clock_that_counts_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(time, "clock_gettime", lambda clock: asked.append(clock) or 7.0)
    assert slots.boottime() == 7.0
    assert asked == [time.CLOCK_BOOTTIME]
