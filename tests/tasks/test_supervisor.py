"""What the supervisor tells its workers: whose lease stands, who is too many, who must go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.db import OperationalError
from django.utils import timezone

from orders.models import Heartbeat, PoolTarget
from orders.services.leases import Fence, take_lease
from tasks.fleet import supervisor as module
from tasks.fleet.child import Child
from tasks.fleet.slots import LEAVE_POOL, RELEASE_TRADER, Slot, boottime
from tasks.fleet.supervisor import Supervisor
from tests.factories.leases import held_by_another
from tests.factories.traders import make_desk

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper


class FakeProcess:
    killed = False

    def __init__(self, ends_at: float | None = None) -> None:
        """Run for good, or until ``ends_at`` (``time.monotonic``), and leave at no request."""
        self._ends_at = ends_at
        self.sentinel, self._end = os.pipe()
        if self.exitcode is not None:
            os.close(self._end)  # as the system does for a process that has ended

    @property
    def exitcode(self) -> int | None:
        return 0 if self._ends_at is not None and time.monotonic() >= self._ends_at else None

    def kill(self) -> None:
        self.killed = True

    def terminate(self) -> None:
        """It goes on until its end."""


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


def add(supervisor: Supervisor, *, user_id: int = 0, epoch: int = 0, ends_at: float | None = None) -> Child:
    """Give the supervisor one more worker."""
    child = Child(cast(Any, FakeProcess(ends_at)), Slot(user_id=user_id, epoch=epoch), boottime())
    supervisor._children[len(supervisor._children)] = child
    return child


def take(user_id: int) -> int:
    fence = take_lease(user_id=user_id, worker="w", host="h", pid=1)
    assert fence is not None
    return fence.epoch


@pytest.mark.django_db
def test_a_worker_whose_lease_stands_may_act_and_another_learns_that_it_may_not(
    supervisor: Supervisor,
) -> None:
    ours, lost = make_desk().user.id, make_desk().user.id
    standing = add(supervisor, user_id=ours, epoch=take(ours))
    refused = add(supervisor, user_id=lost, epoch=take(lost) + 5)
    supervisor._renew()
    assert standing.slot.deadline > boottime()
    assert (standing.slot.lost, standing.refused_since) == (0, 0.0)
    assert refused.slot.deadline == 0.0
    assert refused.slot.lost == refused.slot.epoch
    assert refused.refused_since > 0


@pytest.mark.django_db
@pytest.mark.parametrize("younger_first", [False, True])
def test_of_two_workers_of_one_trader_the_younger_epoch_is_renewed(
    supervisor: Supervisor, younger_first: bool
) -> None:
    user_id = make_desk().user.id
    epoch = take(user_id)
    epochs = [epoch, epoch - 1] if younger_first else [epoch - 1, epoch]
    children = [add(supervisor, user_id=user_id, epoch=one) for one in epochs]
    supervisor._renew()
    lost = {child.slot.epoch: child.slot.lost for child in children}
    assert lost == {epoch: 0, epoch - 1: epoch - 1}


@pytest.mark.django_db
def test_a_worker_that_has_its_lease_again_is_not_killed(
    supervisor: Supervisor, settings: SettingsWrapper
) -> None:
    settings.WORKER_WEDGED_SECONDS = 10.0
    user_id = make_desk().user.id
    child = add(supervisor, user_id=user_id, epoch=9)
    child.refused(9, boottime() - 5)
    supervisor._kill_disowned()
    assert not cast(FakeProcess, child.process).killed
    child.slot.epoch = take(user_id)
    supervisor._renew()
    assert child.refused_since == 0.0
    child.refused(9, boottime() - 11)
    supervisor._kill_disowned()
    assert cast(FakeProcess, child.process).killed


def test_a_worker_that_has_let_its_trader_go_is_nobodys_concern(
    supervisor: Supervisor, settings: SettingsWrapper
) -> None:
    settings.WORKER_WEDGED_SECONDS = 1.0
    child = add(supervisor, user_id=-1)
    child.refused(9, boottime() - 60)
    supervisor._kill_disowned()
    assert not cast(FakeProcess, child.process).killed
    assert child.refused_since == 0.0


def test_a_surplus_is_asked_to_leave_once_it_lasts(supervisor: Supervisor, settings: SettingsWrapper) -> None:
    settings.POOL_SURPLUS_SECONDS = 0.0
    idle = [add(supervisor) for _ in range(3)]
    bound = add(supervisor, user_id=7)
    supervisor._shrink(0)
    assert not any(child.slot.release for child in [*idle, bound])
    supervisor._shrink(2)
    assert [child.slot.release for child in [*idle, bound]] == [LEAVE_POOL, LEAVE_POOL, 0, 0]
    assert supervisor._count_idle() == 1
    settings.POOL_SURPLUS_SECONDS = 60.0
    supervisor._shrink(1)
    assert supervisor._count_idle() == 1


def test_there_are_never_more_wanted_than_there_is_room_for(
    supervisor: Supervisor, settings: SettingsWrapper
) -> None:
    settings.FLEET_MAX_WORKERS = 4
    supervisor._target = 3
    assert supervisor._wanted() == 3
    for user_id in (5, 6):
        add(supervisor, user_id=user_id)
    add(supervisor)
    assert supervisor._wanted() == 2
    for user_id in (7, 8, 9):
        add(supervisor, user_id=user_id)
    assert supervisor._wanted() == 0


class NoRoom(FakeProcess):
    """A process that the system does not give us, until it has room."""

    error: BaseException | None = None
    pid = 4194305  # no system gives it

    def __init__(self, **_: object) -> None:
        super().__init__()

    def start(self) -> None:
        if NoRoom.error is not None:
            raise NoRoom.error


@pytest.mark.parametrize("error", [BlockingIOError(11, "no process"), OSError(12, "no memory"), EOFError()])
def test_a_fork_that_fails_is_tried_again_after_a_pause_and_takes_nobody_along(
    supervisor: Supervisor, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    settings.FLEET_MAX_WORKERS = 3
    supervisor._target = 2
    bound = add(supervisor, user_id=7)
    monkeypatch.setattr(supervisor._context, "Process", NoRoom, raising=False)
    monkeypatch.setattr(supervisor._claims, "count", lambda: 1)
    monkeypatch.setattr(NoRoom, "error", error)
    supervisor._fork_wanted()
    assert list(supervisor._children.values()) == [bound]
    monkeypatch.setattr(NoRoom, "error", None)
    supervisor._fork_wanted()
    assert supervisor._count_idle() == 0
    supervisor._next_fork -= module.FORK_PAUSE_SECONDS
    supervisor._fork_wanted()
    assert supervisor._count_idle() == 1


@pytest.mark.django_db
def test_the_heartbeat_brings_the_target(supervisor: Supervisor, settings: SettingsWrapper) -> None:
    settings.FLEET_POOL_SIZE = 4
    now = timezone.now()
    for minute, (size, expected) in enumerate([(9, 9), (1, 4)]):
        PoolTarget.objects.create(size=size, decided_at=now + timedelta(minutes=minute))
        supervisor._next_heartbeat = 0.0
        supervisor._heartbeat()
        assert supervisor._target == expected


@pytest.mark.django_db
def test_releasing_a_busy_fleets_idlest_worker_leaves_the_pool_alone(supervisor: Supervisor) -> None:
    resting = add(supervisor, user_id=make_desk().user.id)
    resting.slot.idle_since = boottime() - 5
    leaving = add(supervisor)
    leaving.slot.release = LEAVE_POOL
    supervisor._release_longest_idle()
    assert (resting.slot.release, leaving.slot.release) == (RELEASE_TRADER, LEAVE_POOL)


# --- one that stands still stops nobody else ---


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_its_worker_holds_is_neither_refused_nor_waited_for(supervisor: Supervisor) -> None:
    frozen_user, other_user = make_desk().user.id, make_desk().user.id
    frozen = add(supervisor, user_id=frozen_user, epoch=take(frozen_user))
    other = add(supervisor, user_id=other_user, epoch=take(other_user))
    frozen.slot.deadline = 7.0
    with held_by_another(Fence(frozen_user, "w", "h", 1, frozen.slot.epoch)):
        supervisor._renew()
        assert other.slot.deadline > boottime()
        assert (frozen.slot.deadline, frozen.slot.lost, frozen.refused_since) == (7.0, 0, 0.0)
        other.slot.deadline = 7.0
    supervisor._renew()  # the next turn, long before the next renewal of all
    assert frozen.slot.deadline > boottime()
    assert other.slot.deadline == 7.0
    frozen.slot.deadline = 7.0
    supervisor._renew()
    assert frozen.slot.deadline == 7.0


@pytest.mark.django_db(transaction=True)
def test_the_wedged_are_killed_and_the_heart_beats_whatever_becomes_of_the_leases(
    supervisor: Supervisor, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(_held: object) -> set[int]:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(module, "renew_leases", cancelled)
    monkeypatch.setattr(supervisor._claims, "redis_is_away", lambda: False)
    monkeypatch.setattr(supervisor, "_fork_wanted", lambda: None)
    settings.WORKER_WEDGED_SECONDS = 10.0
    child = add(supervisor, user_id=make_desk().user.id, epoch=1)
    child.started -= 60
    supervisor._turn()
    assert cast(FakeProcess, child.process).killed
    assert Heartbeat.objects.filter(name=supervisor.name).exists()


# --- the end ---


@pytest.mark.django_db(transaction=True)
def test_waiting_for_the_last_worker_to_end_costs_next_to_nothing(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[float] = []
    monkeypatch.setattr(supervisor, "_renew", lambda: turns.append(time.monotonic()))
    monkeypatch.setattr(module, "STOP_TURN_SECONDS", 0.1)
    for ends_in in (0.0, 0.35):
        add(supervisor, ends_at=time.monotonic() + ends_in)
    supervisor._stop_children()
    assert 1 <= len(turns) <= 5


def test_the_lease_of_a_worker_that_is_dead_is_not_renewed_while_others_end(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: set[tuple[int, int]] = set()

    def renew(held: list[tuple[int, int]]) -> set[int]:
        renewed.update(held)
        return {user_id for user_id, _ in held}

    monkeypatch.setattr(module, "renew_leases", renew)
    monkeypatch.setattr(module, "end_fleet", lambda **_: None)
    monkeypatch.setattr(module, "STOP_TURN_SECONDS", 0.1)
    add(supervisor, user_id=7, epoch=1, ends_at=time.monotonic())
    add(supervisor, user_id=8, epoch=1, ends_at=time.monotonic() + 0.5)
    supervisor._stop_children()
    assert renewed == {(8, 1)}


def test_a_worker_that_ends_before_it_is_killed_is_no_trouble(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    killed: list[int] = []
    kill = os.kill

    def note(pid: int, number: int) -> None:
        killed.append(pid)
        kill(pid, number)  # there is no such process any more

    monkeypatch.setattr(module, "has_ended", lambda *_: False)
    monkeypatch.setattr(module.os, "kill", note)
    supervisor._end_for_certain(process.pid, add(supervisor))
    assert killed == [process.pid]
