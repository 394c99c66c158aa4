"""An operator declares an order whose outcome is unknown never sent, once its sender is proven gone."""

import datetime as dt
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.types import ExecType, OrdStatus
from orders.models import AttentionItem, Heartbeat, Order, OrderEvent, WorkerLease
from orders.services import sending_process
from orders.services.adoption import wished_adoption
from orders.services.attention import open_item
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence, expire_lease
from orders.services.resolution import ResolutionRefused, adopt_order, declare_never_sent
from tests.factories.alerts import record_one
from tests.factories.history import event_kinds
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import UNKNOWN, accepting, send_order
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

HOST = socket.gethostname()
Kind = AttentionItem.Kind


@pytest.fixture
def sender() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the worker that has sent the order."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def fence(desk: Desk, sender: subprocess.Popen[bytes]) -> Fence:
    return lease_of(desk, host=HOST, pid=sender.pid)


def item_of(order: Order, kind: str = Kind.OUTCOME_UNKNOWN) -> AttentionItem:
    return AttentionItem.objects.get(order=order, kind=kind)


@pytest.fixture(autouse=True)
def arrived(settings: Any) -> None:
    """What was sent a moment ago has arrived by now, if it ever will."""
    settings.BROKER_TIMEOUT_SECONDS = 0.0


def declare(order: Order, operator: User, **options: Any) -> None:
    declare_never_sent(order.id, operator=operator, reason="the broker's desk says so", **options)
    order.refresh_from_db()


@pytest.fixture
def gone(fence: Fence, sender: subprocess.Popen[bytes]) -> None:
    """The sender was killed, and its lease has ended."""
    end(sender)
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)


def test_an_entry_never_sent_is_denied(unknown: Order, operator: User, gone: None) -> None:
    declare(unknown, operator)
    assert (unknown.ord_status, unknown.reason) == (OrdStatus.DENIED, "NEVER_SENT")
    assert unknown.text == "the broker's desk says so"
    item = item_of(unknown)
    assert (item.resolved_by, item.resolution) == (operator, "never sent: the broker's desk says so")
    assert event_kinds(unknown)[-3:] == ["NeverSentDeclared", "NotSent", "Denied"]
    data = OrderEvent.objects.get(order=unknown, kind="NeverSentDeclared").data
    assert (data["operator_id"], data["reason"]) == (operator.pk, "the broker's desk says so")
    assert data["proof"].startswith("no process ")
    assert LogEntry.objects.get().object_id == str(unknown.pk)
    assert unknown.next_check_at is not None, "the broker is asked a few times more"


def test_an_exit_is_denied_too_unless_the_operator_has_it_sent_again(
    unknown_exit: Order, operator: User, gone: None
) -> None:
    declare(unknown_exit, operator, send_again=True)
    assert (unknown_exit.ord_status, unknown_exit.eligible_at) == (OrdStatus.INITIALIZED, None)


def test_without_that_wish_an_exit_is_not_resurrected(
    unknown_exit: Order, operator: User, gone: None
) -> None:
    declare(unknown_exit, operator)
    assert (unknown_exit.ord_status, unknown_exit.reason) == (OrdStatus.DENIED, "NEVER_SENT")


def test_what_may_still_be_on_its_way_forbids_it(
    unknown: Order, operator: User, gone: None, settings: Any
) -> None:
    settings.BROKER_TIMEOUT_SECONDS = 60.0
    assert_refused(unknown, operator, "may still be on its way")


def assert_refused(order: Order, operator: User, why: str, **options: Any) -> None:
    with pytest.raises(ResolutionRefused, match=why):
        declare(order, operator, **options)
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.SUBMITTED
    assert "NeverSentDeclared" not in event_kinds(order)
    assert not LogEntry.objects.exists()


def test_an_old_entry_is_never_sent_again(unknown: Order, operator: User, gone: None) -> None:
    assert_refused(unknown, operator, "Only an exit", send_again=True)


def test_a_lease_that_stands_forbids_it(unknown: Order, operator: User, sender: Any) -> None:
    end(sender)
    assert_refused(unknown, operator, f"still holds the trader's lease .* 'kill {sender.pid}'")


def test_a_process_that_still_runs_forbids_it_whoever_holds_the_lease(
    desk: Desk, unknown: Order, operator: User, fence: Fence, sender: Any
) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    assert_refused(unknown, operator, f"Process {sender.pid} on {HOST} sent it and still runs")
    lease_of(desk, host=HOST, pid=os.getpid())
    assert_refused(unknown, operator, "still runs")
    os.kill(sender.pid, 19)  # SIGSTOP: it could be woken
    assert_refused(unknown, operator, "still runs")
    end(sender)
    declare(unknown, operator)
    assert unknown.ord_status == OrdStatus.DENIED


def test_a_new_process_of_the_same_pid_is_not_the_sender(
    unknown: Order, operator: User, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    later = time.clock_gettime(time.CLOCK_BOOTTIME) + 5
    monkeypatch.setattr(sending_process, "process_began_at", lambda pid: later)
    declare(unknown, operator)
    proof = OrderEvent.objects.get(order=unknown, kind="NeverSentDeclared").data["proof"]
    assert "began after the one that sent it" in proof


def test_a_clock_set_forward_since_the_sending_makes_no_other_process_of_the_sender(
    desk: Desk, operator: User, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_hour_ago = timezone.now() - dt.timedelta(hours=1)
    with monkeypatch.context() as before:
        before.setattr(timezone, "now", lambda: an_hour_ago)
        order = send_order(record_one(desk), fence, UNKNOWN)
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    assert_refused(order, operator, "still runs")


@pytest.fixture
def elsewhere(desk: Desk) -> Order:
    """An order that a process of another host has sent, whose lease has ended."""
    fence = lease_of(desk, host="otherhost", pid=4242)
    order = send_order(record_one(desk), fence, UNKNOWN)
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    return order


def fleet(name: str, seconds_ago: float = 1) -> None:
    at = timezone.now() - dt.timedelta(seconds=seconds_ago)
    Heartbeat.objects.create(name=name, part=Heartbeat.Part.FLEET, at=at)


def test_another_hosts_process_is_proven_gone_there(elsewhere: Order, operator: User) -> None:
    assert_refused(elsewhere, operator, r"run 'manage.py resolve_order .* on otherhost")


def test_the_word_that_a_host_is_gone_counts_while_no_fleet_of_it_shows_itself(
    elsewhere: Order, operator: User
) -> None:
    fleet("fleet@otherhost:17")
    assert_refused(elsewhere, operator, "otherhost is not gone", host_is_gone=True)
    Heartbeat.objects.update(at=timezone.now() - dt.timedelta(seconds=60))
    declare(elsewhere, operator, host_is_gone=True)
    assert elsewhere.ord_status == OrdStatus.DENIED


def test_this_host_is_not_gone(unknown: Order, operator: User, fence: Fence) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    assert_refused(unknown, operator, "is not gone", host_is_gone=True)


def test_a_container_that_bears_the_hosts_name_and_does_not_see_its_fleet_proves_nothing(
    unknown: Order, operator: User, gone: None
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    fleet(f"fleet@{HOST}:{ended.pid}")
    assert_refused(unknown, operator, "cannot be seen from here")
    Heartbeat.objects.all().delete()
    fleet(f"fleet@{HOST}:{os.getpid()}")
    declare(unknown, operator)
    assert unknown.ord_status == OrdStatus.DENIED


def test_what_the_broker_has_twice_was_sent(unknown: Order, operator: User, gone: None) -> None:
    open_item(Kind.DUPLICATE_AT_BROKER, order=unknown, detail="one, two")
    assert_refused(unknown, operator, "more than once")


def test_an_order_whose_outcome_is_known_cannot_be_resolved(desk: Desk, fence: Fence, operator: User) -> None:
    order = record_one(desk)
    send_order(order, fence, accepting(order))
    with pytest.raises(ResolutionRefused, match="it is NEW"):
        declare(order, operator)
    with pytest.raises(ResolutionRefused, match="it is NEW"):
        adopt_order(order.id, broker_order_id="broker-77", operator=operator, reason="seen there")


def test_a_reason_is_needed(unknown: Order, operator: User, gone: None) -> None:
    with pytest.raises(ResolutionRefused, match="reason"):
        declare_never_sent(unknown.id, operator=operator, reason=" \n")
    unknown.refresh_from_db()
    assert unknown.ord_status == OrdStatus.SUBMITTED


def test_a_wish_about_an_earlier_sending_is_forgotten(
    desk: Desk, unknown_exit: Order, operator: User, gone: None
) -> None:
    adopt_order(unknown_exit.id, broker_order_id="broker-77", operator=operator, reason="seen there")
    declare(unknown_exit, operator, send_again=True)
    successor = lease_of(desk, host=HOST, pid=os.getpid())
    send_order(unknown_exit, successor, UNKNOWN)
    assert unknown_exit.attempt == 2
    assert WorkerLease.objects.get(user=desk.user).epoch == successor.epoch
    assert wished_adoption(unknown_exit) is None


@pytest.mark.parametrize("exec_type", [ExecType.NEW, ExecType.TRADE])
def test_a_denied_order_that_the_broker_reports_is_real_and_told_of(
    unknown: Order, operator: User, fence: Fence, gone: None, exec_type: ExecType
) -> None:
    declare(unknown, operator)
    report = make_report(unknown, ExecType.NEW) if exec_type is ExecType.NEW else make_fill(unknown, "10")
    applied = apply_execution_report(report, account_id=unknown.account_id, origin=Origin("stream", fence))
    assert applied is not None
    assert applied.order.ord_status == (OrdStatus.NEW if exec_type is ExecType.NEW else OrdStatus.FILLED)
    item = item_of(unknown, Kind.DENIED_BUT_SENT)
    assert item.resolved_at is None, "only a person settles this"
    assert "NEVER_SENT" in item.detail
