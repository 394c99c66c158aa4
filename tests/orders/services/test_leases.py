"""Leases: one holder, an epoch that only grows, the database's clock."""

import time

import pytest
from django.conf import settings
from django.db import InternalError, close_old_connections, connection, transaction

from orders.models import Heartbeat, OrderEvent, WorkerLease
from orders.services.heartbeats import Fleet, beat_fleet
from orders.services.leases import (
    Fence,
    LeaseLost,
    expire_lease,
    hold_lease,
    renew_leases,
    standing_leases,
    take_lease,
)
from orders.services.outages import is_outage
from orders.services.processes import worker_name
from tests.factories.alerts import record_one
from tests.factories.leases import held_by_another
from tests.factories.sending import UNKNOWN, send_order
from tests.factories.traders import make_desk

pytestmark = pytest.mark.django_db

HOST_NAME_MAX = 64  # gethostname(2)


def take(user_id: int, worker: str) -> Fence | None:
    return take_lease(user_id=user_id, worker=worker, host="h", pid=1)


def age(user_id: int, seconds: int) -> None:
    """Let time pass for this lease."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_workerlease SET expires_at = expires_at - make_interval(secs => %s) WHERE user_id = %s",
            [seconds, user_id],
        )


def test_of_two_one_wins_and_the_epoch_grows() -> None:
    user_id = make_desk().user.id
    first = take(user_id, "a")
    assert first is not None
    assert take(user_id, "b") is None
    assert expire_lease(user_id=user_id, epoch=first.epoch)
    second = take(user_id, "b")
    assert second is not None
    assert (first.epoch, second.epoch) == (1, 2)
    assert WorkerLease.objects.get(user=user_id).worker == "b"


def test_a_superseded_holder_can_neither_hold_renew_nor_expire() -> None:
    user_id = make_desk().user.id
    old = take(user_id, "a")
    assert old is not None
    age(user_id, 60)
    new = take(user_id, "b")
    assert new is not None
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(old)
    assert renew_leases([(user_id, old.epoch)]) == set()
    assert not expire_lease(user_id=user_id, epoch=old.epoch)
    with transaction.atomic():
        hold_lease(new)


def test_an_expired_lease_is_not_revived() -> None:
    user_id = make_desk().user.id
    fence = take(user_id, "a")
    assert fence is not None
    age(user_id, 60)
    assert renew_leases([(user_id, fence.epoch)]) == set()
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(fence)


def test_one_statement_renews_all_that_are_live() -> None:
    fences = [take(make_desk().user.id, "a") for _ in range(3)]
    live = [fence for fence in fences if fence is not None]
    age(live[0].user_id, 60)
    held = [(fence.user_id, fence.epoch) for fence in live]
    assert renew_leases(held) == {fence.user_id for fence in live[1:]}


def test_a_worker_takes_a_lease_anew_whose_epoch_it_was_never_told() -> None:
    user_id = make_desk().user.id
    lost = take(user_id, "a")  # committed; the answer never came
    assert lost is not None
    claimed_at = WorkerLease.objects.get(user=user_id).claimed_at
    again = take(user_id, "a")
    assert again is not None
    assert again.epoch == lost.epoch + 1
    assert WorkerLease.objects.get(user=user_id).claimed_at == claimed_at
    with pytest.raises(LeaseLost), transaction.atomic():
        hold_lease(lost)
    assert take(user_id, "b") is None


def test_a_host_has_as_long_a_name_as_the_system_allows() -> None:
    host = "ip-172-31-101-201.ap-southeast-2.compute.internal".ljust(HOST_NAME_MAX, "x")
    desk = make_desk()
    worker = worker_name(pid=4194304, host=host)
    fence = take_lease(user_id=desk.user.id, worker=worker, host=host, pid=4194304)
    assert fence is not None
    order = record_one(desk)
    send_order(order, fence, UNKNOWN)
    beat_fleet(Fleet(f"fleet@{host}:4194304", host=host, pid=4194304))
    assert OrderEvent.objects.get(order=order, kind="Submitted").worker == worker
    assert Heartbeat.objects.get(part=Heartbeat.Part.FLEET).name == f"fleet@{host}:4194304"


# --- a holder that stands still within its transaction ---


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_is_held_is_not_waited_for_and_still_stands() -> None:
    held, free, ended = (take(make_desk().user.id, "a") for _ in range(3))
    assert held is not None and free is not None and ended is not None
    age(ended.user_id, 60)
    asked = [(fence.user_id, fence.epoch) for fence in (held, free, ended)]
    with held_by_another(held):
        assert renew_leases(asked) == {free.user_id}
        assert standing_leases(asked) == {held.user_id, free.user_id}
    assert renew_leases(asked) == {held.user_id, free.user_id}


@pytest.mark.django_db(transaction=True)
def test_postgresql_ends_a_transaction_that_stands_still_and_the_next_one_is_well() -> None:
    fence = take(make_desk().user.id, "a")
    assert fence is not None
    with pytest.raises(InternalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 200")
        hold_lease(fence)
        time.sleep(0.6)
        hold_lease(fence)
    assert is_outage(caught.value)
    close_old_connections()
    assert renew_leases([(fence.user_id, fence.epoch)]) == {fence.user_id}


def test_no_connection_of_the_desk_may_stand_still_for_as_long_as_a_lease_lasts() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"
        )
        milliseconds = cursor.fetchone()[0]
    assert 0 < milliseconds < settings.LEASE_TTL_SECONDS * 1000
