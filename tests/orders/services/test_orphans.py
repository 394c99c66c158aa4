"""What has lost its counterpart is found, looked at again, and settled; what is well is left alone."""

import datetime as dt
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from orders.models import AttentionItem, Heartbeat, Order, WorkerLease
from orders.services.heartbeats import Fleet, beat_fleet, live_fleets
from orders.services.leases import take_lease
from orders.services.orphans import NO_FLEET, orphan_leases, settle_what_healed
from tasks import orphans, queues, routing
from tasks.host import is_gone
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.traders import Desk, make_desk
from tests.pages.rows import make_order

pytestmark = pytest.mark.django_db

HERE = socket.gethostname()


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    queues.client().flushdb()
    yield
    queues.client().flushdb()


@pytest.fixture
def dead_pid() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def bind(user_id: int, *, host: str = HERE, pid: int = 0) -> None:
    assert take_lease(user_id=user_id, worker="w", host=host, pid=pid or os.getpid()) is not None


def beat(host: str = HERE, pid: int = 0, **values: Any) -> str:
    fleet = Fleet(f"fleet@{host}:{pid}", host=host, pid=pid or os.getpid(), **values)
    beat_fleet(fleet)
    return fleet.name


def fall_silent(name: str) -> None:
    Heartbeat.objects.filter(name=name).update(at=Now() - dt.timedelta(minutes=1))


def stands(user_id: int) -> bool:
    return WorkerLease.objects.filter(user=user_id, expires_at__gt=Now()).exists()


def waiting(queue: str) -> int:
    return int(queues.client().llen(queue))


def handed_out() -> dict[str, list[list[Any]]]:
    """Take the cases that the coordinator has published, by task."""
    import json
    from base64 import b64decode

    cases: dict[str, list[list[Any]]] = {}
    while message := queues.client().rpop(routing.SWEEPS_QUEUE):
        envelope = json.loads(message)
        args = json.loads(b64decode(envelope["body"]))[0]
        cases.setdefault(envelope["headers"]["task"], []).append(args)
    return cases


# --- leases ---


def test_a_lease_whose_process_is_gone_ends_and_its_trader_is_claimed(desk: Desk, dead_pid: int) -> None:
    other = make_desk()
    make_order(desk.account, "NEW")
    bind(desk.user.id, pid=dead_pid)
    bind(other.user.id)
    orphans.hand_out_cases()
    assert handed_out()["orphans.lease"] == [[desk.user.id, 1]]
    orphans.lease(desk.user.id, 1)
    assert not stands(desk.user.id)
    assert stands(other.user.id)
    assert (waiting(routing.POOL_QUEUE), waiting(routing.user_queue(desk.user.id))) == (1, 0)
    orphans.lease(desk.user.id, 1)  # again: nothing is left to do
    assert waiting(routing.POOL_QUEUE) == 1


def test_a_lease_that_has_moved_on_meanwhile_is_left_alone(desk: Desk, dead_pid: int) -> None:
    bind(desk.user.id, pid=dead_pid)
    WorkerLease.objects.update(expires_at=Now() - dt.timedelta(minutes=1))
    bind(desk.user.id)
    orphans.lease(desk.user.id, 1)
    assert stands(desk.user.id)


def test_a_clock_set_forward_since_the_claim_ends_no_lease(desk: Desk) -> None:
    lease_of(desk, host=HERE, pid=os.getpid())
    WorkerLease.objects.update(claimed_at=Now() - dt.timedelta(days=1))
    assert orphan_leases(here=HERE, is_gone=is_gone) == []


def test_a_lease_of_another_host_is_judged_by_its_fleet(desk: Desk, dead_pid: int) -> None:
    bind(desk.user.id, host="elsewhere", pid=dead_pid)
    name = beat("elsewhere", pid=1)
    assert orphan_leases(here=HERE, is_gone=is_gone) == []
    fall_silent(name)
    assert orphan_leases(here=HERE, is_gone=is_gone) == [(desk.user.id, 1)]


def test_where_processes_are_not_seen_the_fleet_is_trusted(desk: Desk, dead_pid: int) -> None:
    bind(desk.user.id, pid=dead_pid)
    name = beat(pid=dead_pid)  # alive, and not visible here: it has process ids of its own
    assert orphan_leases(here=HERE, is_gone=is_gone) == []
    fall_silent(name)
    assert orphan_leases(here=HERE, is_gone=is_gone) == [(desk.user.id, 1)]


# --- traders and entries ---


def test_a_trader_with_work_and_no_worker_is_claimed(desk: Desk) -> None:
    make_order(desk.account, "NEW")
    make_order(make_desk().account, "FILLED")
    orphans.hand_out_cases()
    assert handed_out()["orphans.trader"] == [[desk.user.id]]
    orphans.trader(desk.user.id)
    assert (waiting(routing.POOL_QUEUE), waiting(routing.user_queue(desk.user.id))) == (1, 0)


def test_a_trader_who_got_a_worker_meanwhile_is_left_alone(desk: Desk) -> None:
    make_order(desk.account, "NEW")
    bind(desk.user.id)
    orphans.trader(desk.user.id)
    assert waiting(routing.POOL_QUEUE) == 0


def test_stale_entries_are_handed_out_many_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "ENTRIES_A_CASE", 2)
    late = timezone.now() - dt.timedelta(hours=1)
    stale = [str(record_one(desk).id) for _ in range(3)]
    Order.objects.update(received_at=late)
    orphans.hand_out_cases()
    assert handed_out()["orphans.entries"] == [[stale[:2]], [stale[2:]]]
    sent = make_order(desk.account, "NEW", received_at=late)
    orphans.entries([str(sent.id), *stale])  # the first was found before it was sent
    assert Order.objects.get(pk=sent.pk).ord_status == "NEW"
    assert set(Order.objects.filter(pk__in=stale).values_list("ord_status", flat=True)) == {"DENIED"}


# --- queues ---


def test_a_queue_of_nobody_is_purged_with_its_binding(desk: Desk) -> None:
    for name in ("user.987654", "user.00", "user.99999999999999999999", "user.x"):
        queues.client().lpush(name, "bell")
        queues.client().sadd(queues.BINDING_PREFIX + name, "x")
    queues.client().sadd(queues.BINDING_PREFIX + "user.987655", "x")
    orphans.hand_out_cases()
    found = [args[0] for args in handed_out()["orphans.queue"]]
    assert sorted(found) == ["user.00", "user.987654", "user.987655", "user.99999999999999999999", "user.x"]
    for name in found:
        orphans.queue(name)
    assert queues.trader_queues() == {}


def test_bells_of_a_trader_without_work_are_purged(desk: Desk) -> None:
    name = routing.user_queue(desk.user.id)
    queues.client().lpush(name, "bell")
    orphans.hand_out_cases()
    assert handed_out()["orphans.queue"] == [[name]]
    orphans.queue(name)
    assert waiting(name) == 0
    assert waiting(routing.POOL_QUEUE) == 0


def test_bells_of_a_trader_with_work_bring_a_worker(desk: Desk) -> None:
    name = routing.user_queue(desk.user.id)
    queues.client().lpush(name, "bell")
    make_order(desk.account, "NEW")
    orphans.queue(name)
    assert (waiting(name), waiting(routing.POOL_QUEUE)) == (1, 1)


def test_a_queue_that_is_read_is_left_alone(desk: Desk) -> None:
    name = routing.user_queue(desk.user.id)
    queues.client().lpush(name, "bell")
    queues.client().sadd(queues.BINDING_PREFIX + name, "x")
    bind(desk.user.id)
    orphans.hand_out_cases()
    assert "orphans.queue" not in handed_out()
    orphans.queue(name)  # found a moment ago, read by now
    assert waiting(name) == 1


def test_an_empty_queue_of_a_trader_is_no_case(desk: Desk) -> None:
    queues.client().sadd(queues.BINDING_PREFIX + routing.user_queue(desk.user.id), "x")
    orphans.hand_out_cases()
    assert "orphans.queue" not in handed_out()


# --- replies ---


def test_old_replies_are_dropped_and_new_ones_kept() -> None:
    stream = queues.client()
    stream.xadd(settings.REPLY_STREAM, {"order": uuid.uuid4().bytes}, id="1-1")
    stream.xadd(settings.REPLY_STREAM, {"order": uuid.uuid4().bytes})
    assert queues.trim_replies() == (1, 1)
    assert queues.trim_replies() == (0, 1)
    summary_before = orphans.hand_out_cases()
    assert handed_out()["orphans.replies"] == [[]]
    assert summary_before["queues nobody reads"] == 0
    assert Heartbeat.objects.get(name="orphans").data["replies kept"] == 1


# --- pools, and what heals ---


def test_a_pool_that_stays_short_is_reported_until_it_is_full(desk: Desk) -> None:
    name = beat(idle=1, target=4, workers=9, short_seconds=75)
    orphans.hand_out_cases()
    assert handed_out()["orphans.pool"] == [[name]]
    orphans.pool(name)
    orphans.pool(name)
    item = AttentionItem.objects.get()
    assert item.kind == "ORPHAN"
    assert "1 of 4 idle workers for 75 s" in item.detail
    orphans.healed()
    assert AttentionItem.objects.filter(resolved_at__isnull=True).exists()
    beat(idle=4, target=4, workers=12)
    orphans.pool(name)  # full by now
    orphans.healed()
    item.refresh_from_db()
    assert item.resolved_at is not None
    assert AttentionItem.objects.count() == 1


def test_a_pool_that_is_short_for_a_moment_is_not_reported() -> None:
    beat(idle=1, target=4, short_seconds=5)
    orphans.hand_out_cases()
    assert "orphans.pool" not in handed_out()


def test_no_fleet_at_all_is_reported() -> None:
    orphans.hand_out_cases()
    assert handed_out()["orphans.pool"] == [[NO_FLEET]]
    orphans.pool(NO_FLEET)
    assert AttentionItem.objects.get().detail == "No fleet has shown itself lately."


def test_what_a_fleet_says_comes_back_as_it_was() -> None:
    fleet = Fleet("fleet@a:5", host="a", pid=5, idle=1, workers=2, target=3, short_seconds=4)
    assert beat_fleet(fleet) is None
    assert live_fleets() == [fleet]
    Heartbeat.objects.update(data={"idle": 2, "of another version": 1})
    assert live_fleets() == [Fleet("fleet@a:5", idle=2)]


def test_items_whose_cause_is_gone_are_settled_and_others_stay(desk: Desk) -> None:
    beat(idle=2, target=2)
    ended, open_ = make_order(desk.account, "FILLED"), make_order(desk.account, "SUBMITTED")
    kinds = AttentionItem.Kind
    old = timezone.now() - dt.timedelta(hours=1)
    gone = [
        AttentionItem.objects.create(kind=kinds.OUTCOME_UNKNOWN, order=ended, user=ended.user),
        AttentionItem.objects.create(kind=kinds.NO_WORKER_FREE),
        AttentionItem.objects.create(kind=kinds.WORKER_WEDGED),
    ]
    stay = [
        AttentionItem.objects.create(kind=kinds.OUTCOME_UNKNOWN, order=open_, user=open_.user),
        AttentionItem.objects.create(kind=kinds.OVERFILL, order=ended, user=ended.user),
        AttentionItem.objects.create(kind=kinds.WORKER_WEDGED, user=desk.user),  # with work and no worker
        AttentionItem.objects.create(kind=kinds.DEAD_LETTER),
    ]
    AttentionItem.objects.update(opened_at=old)
    assert settle_what_healed() == len(gone)
    left = AttentionItem.objects.filter(resolved_at__isnull=True)
    assert set(left) == set(stay)
    bind(desk.user.id)
    assert settle_what_healed() == 1


def test_the_sum_of_the_waits_finds_a_stuck_order_within_ten_seconds() -> None:
    from tasks.dispatch import NUDGE_MARK_SECONDS

    longest = max(settings.UNDELIVERED_SECONDS, settings.UNRESOLVED_SECONDS)
    assert longest + settings.SWEEP_DUE_SECONDS + NUDGE_MARK_SECONDS <= 10
