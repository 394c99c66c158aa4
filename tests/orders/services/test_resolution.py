"""An operator resolves an order whose outcome is unknown: adopts the broker's, or declares it never sent."""

import datetime as dt
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, IdempotencyClass, OrdStatus, Side
from orders.models import AttentionItem, Heartbeat, Order, OrderEvent, WorkerLease
from orders.services import sending_process
from orders.services.adoption import wished_adoption
from orders.services.attention import open_item
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence, expire_lease, take_lease
from orders.services.lookup import look_up_order
from orders.services.resolution import ResolutionRefused, adopt_order, declare_never_sent
from orders.services.submission import submit_order
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db

HOST = socket.gethostname()
Kind = AttentionItem.Kind


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture
def operator() -> User:
    return User.objects.create(username="operator", is_staff=True)


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


def lease_of(desk: Desk, *, host: str, pid: int) -> Fence:
    fence = take_lease(user_id=desk.user.id, worker=f"worker-{pid}@{host}", host=host, pid=pid)
    assert fence is not None
    return fence


def send(order: Order, fence: Fence, answer: Any = None, *heard: ExecutionReport) -> Order:
    submit_order(
        order.id,
        adapter=ScriptedAdapter(submit=answer or OutcomeUnknown("timeout")),  # type: ignore[arg-type]
        fence=fence,
        before_send=lambda: None,
        heard=lambda: heard,
        dequeued_at=timezone.now(),
    )
    order.refresh_from_db()
    return order


@pytest.fixture
def unknown(desk: Desk, fence: Fence) -> Order:
    order = send(record_one(desk, quantity="10"), fence)
    open_item(Kind.OUTCOME_UNKNOWN, order=order, detail="not found")
    return order


@pytest.fixture
def unknown_exit(desk: Desk, fence: Fence) -> Order:
    entry = record_one(desk, quantity="10")
    send(entry, fence, lambda _: make_report(entry, ExecType.NEW), make_fill(entry, "10"))
    order = send(record_one(desk, action="close_long"), fence)
    assert (order.ord_status, order.position_effect) == (OrdStatus.SUBMITTED, "CLOSE")
    return order


def item_of(order: Order, kind: str = Kind.OUTCOME_UNKNOWN) -> AttentionItem:
    return AttentionItem.objects.get(order=order, kind=kind)


def event_kinds(order: Order) -> list[str]:
    return list(OrderEvent.objects.filter(order=order).order_by("id").values_list("kind", flat=True))


# --- adopt ---

THEIRS = "broker-77"


def wish(order: Order, operator: User, broker_order_id: str = THEIRS) -> None:
    adopt_order(order.id, broker_order_id=broker_order_id, operator=operator, reason="seen at the broker's")


def look(order: Order, fence: Fence, report: Any, *fills: ExecutionReport) -> ScriptedAdapter:
    adapter = ScriptedAdapter(by_broker_id=report, executions=fills, idempotency_class=IdempotencyClass.C)
    look_up_order(order, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    return adapter


def theirs(order: Order, **fields: Any) -> ExecutionReport:
    values = {"broker_order_id": THEIRS, "ord_status": OrdStatus.NEW} | fields
    return make_report(order, ExecType.ORDER_STATUS, **values)


def test_the_worker_adopts_the_order_that_the_operator_names(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    unknown.refresh_from_db()
    assert unknown.ord_status == OrdStatus.SUBMITTED, "only the broker's word makes it so"
    assert unknown.next_check_at is not None
    assert unknown.next_check_at <= timezone.now()
    adapter = look(unknown, fence, theirs(unknown))
    assert adapter.asked == [THEIRS]
    assert (unknown.ord_status, unknown.broker_order_id) == (OrdStatus.NEW, THEIRS)
    item = item_of(unknown)
    assert (item.resolved_by, item.resolution) == (operator, f"adopted {THEIRS}: seen at the broker's")
    assert item.resolved_at is not None
    assert event_kinds(unknown)[-3:] == ["AdoptRequested", "Adopted", "StatusReport"]
    asked = OrderEvent.objects.get(order=unknown, kind="AdoptRequested")
    assert (asked.data["operator_id"], asked.data["reason"]) == (operator.pk, "seen at the broker's")
    log = LogEntry.objects.get()
    assert (log.user, log.object_id) == (operator, str(unknown.pk))
    assert THEIRS in log.change_message


def test_an_order_under_another_id_is_adopted_with_its_fills(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    other = {"cl_ord_id": "6f1b7b1e-0000-4000-8000-00000000abcd", "broker_order_id": THEIRS}
    report = theirs(unknown, ord_status=OrdStatus.PARTIALLY_FILLED, cum_qty=Decimal(4), **other)
    fills = [
        make_fill(unknown, "4", "101", **other),
        make_fill(unknown, "9", "1", exec_id="x2", cl_ord_id="z", broker_order_id="z"),
    ]
    look(unknown, fence, report, *fills)
    assert (unknown.ord_status, unknown.cum_qty, unknown.avg_px) == (
        OrdStatus.PARTIALLY_FILLED,
        Decimal(4),
        Decimal(101),
    )
    assert unknown.working_cl_ord_id == other["cl_ord_id"]
    assert wished_adoption(unknown) is not None  # harmless: it is not looked up any more


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"symbol": "MSFT"}, "its symbol is MSFT"),
        ({"side": Side.SELL}, "its side is SELL"),
        ({"order_qty": Decimal(9)}, "its quantity is 9"),
        ({"transact_time": timezone.now() - dt.timedelta(hours=1)}, "before the order was sent"),
        (None, "the broker has no order of that id"),
    ],
)
def test_what_does_not_fit_is_refused_and_stays_open(
    unknown: Order, fence: Fence, operator: User, fields: dict[str, Any] | None, why: str
) -> None:
    wish(unknown, operator)
    look(unknown, fence, None if fields is None else theirs(unknown, **fields))
    assert (unknown.ord_status, unknown.broker_order_id) == (OrdStatus.SUBMITTED, "")
    item = item_of(unknown)
    assert item.resolved_at is None
    assert why in item.detail
    assert why in OrderEvent.objects.get(order=unknown, kind="AdoptRefused").data["why"]
    adapter = look(unknown, fence, theirs(unknown))
    assert THEIRS not in adapter.asked, "a refused wish was tried again"


def test_an_order_that_another_of_ours_has_is_refused(
    desk: Desk, unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    twin = record_one(desk, quantity="10")
    send(twin, fence, lambda _: make_report(twin, ExecType.NEW, broker_order_id=THEIRS))
    look(unknown, fence, theirs(unknown, cl_ord_id="foreign"))
    assert unknown.ord_status == OrdStatus.SUBMITTED
    assert "another order of the desk has it" in item_of(unknown).detail
    with pytest.raises(ResolutionRefused, match="Another order of this account"):
        wish(unknown, operator)


def test_an_order_that_carries_the_id_of_another_of_ours_is_refused(
    desk: Desk, unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    twin = send(record_one(desk, quantity="10"), fence)
    look(unknown, fence, theirs(twin))
    assert "client order id of another order" in item_of(unknown).detail
    twin.refresh_from_db()
    assert (unknown.ord_status, twin.ord_status) == (OrdStatus.SUBMITTED, OrdStatus.SUBMITTED)


def test_a_broker_that_does_not_answer_leaves_the_wish_standing(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    look(unknown, fence, OutcomeUnknown("timeout"))
    assert unknown.ord_status == OrdStatus.SUBMITTED
    look(unknown, fence, theirs(unknown))
    assert unknown.ord_status == OrdStatus.NEW


def test_adopting_one_of_two_settles_the_duplicate_in_the_operators_name(
    unknown: Order, fence: Fence, operator: User
) -> None:
    open_item(Kind.DUPLICATE_AT_BROKER, order=unknown, detail="one, two")
    wish(unknown, operator)
    look(unknown, fence, theirs(unknown))
    assert item_of(unknown, Kind.DUPLICATE_AT_BROKER).resolved_by == operator


@pytest.mark.parametrize(
    ("broker_order_id", "reason"), [("", "why"), ("a b", "why"), ("x" * 65, "why"), ("x", " ")]
)
def test_a_wish_needs_an_id_and_a_reason(
    unknown: Order, operator: User, broker_order_id: str, reason: str
) -> None:
    with pytest.raises(ResolutionRefused):
        adopt_order(unknown.id, broker_order_id=broker_order_id, operator=operator, reason=reason)
    assert "AdoptRequested" not in event_kinds(unknown)


# --- never sent ---


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


def refused(order: Order, operator: User, why: str, **options: Any) -> None:
    with pytest.raises(ResolutionRefused, match=why):
        declare(order, operator, **options)
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.SUBMITTED
    assert "NeverSentDeclared" not in event_kinds(order)
    assert not LogEntry.objects.exists()


def test_an_old_entry_is_never_sent_again(unknown: Order, operator: User, gone: None) -> None:
    refused(unknown, operator, "Only an exit", send_again=True)


def test_a_lease_that_stands_forbids_it(unknown: Order, operator: User, sender: Any) -> None:
    end(sender)
    refused(unknown, operator, f"still holds the trader's lease .* 'kill {sender.pid}'")


def test_a_process_that_still_runs_forbids_it_whoever_holds_the_lease(
    desk: Desk, unknown: Order, operator: User, fence: Fence, sender: Any
) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    refused(unknown, operator, f"Process {sender.pid} on {HOST} sent it and still runs")
    lease_of(desk, host=HOST, pid=os.getpid())
    refused(unknown, operator, "still runs")
    os.kill(sender.pid, 19)  # SIGSTOP: it could be woken
    refused(unknown, operator, "still runs")
    end(sender)
    declare(unknown, operator)
    assert unknown.ord_status == OrdStatus.DENIED


def test_a_new_process_of_the_same_pid_is_not_the_sender(
    unknown: Order, operator: User, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    later = timezone.now() + dt.timedelta(seconds=5)
    monkeypatch.setattr(sending_process, "process_started_at", lambda pid: later)
    declare(unknown, operator)
    proof = OrderEvent.objects.get(order=unknown, kind="NeverSentDeclared").data["proof"]
    assert "after the sending" in proof


def test_the_time_at_which_a_process_began_is_read_from_the_system(sender: Any) -> None:
    began = sending_process.process_started_at(sender.pid)
    assert began is not None
    assert abs(began - timezone.now()) < dt.timedelta(seconds=30)
    sender.kill()
    os.waitid(os.P_PID, sender.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is a zombie
    assert sending_process.process_started_at(sender.pid) is None
    end(sender)
    assert sending_process.process_started_at(sender.pid) is None


@pytest.fixture
def elsewhere(desk: Desk) -> Order:
    """An order that a process of another host has sent, whose lease has ended."""
    fence = lease_of(desk, host="otherhost", pid=4242)
    order = send(record_one(desk), fence)
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    return order


def fleet(name: str, seconds_ago: float = 1) -> None:
    at = timezone.now() - dt.timedelta(seconds=seconds_ago)
    Heartbeat.objects.create(name=name, part=Heartbeat.Part.FLEET, at=at)


def test_another_hosts_process_is_proven_gone_there(elsewhere: Order, operator: User) -> None:
    refused(elsewhere, operator, r"run 'manage.py resolve_order .* on otherhost")


def test_the_word_that_a_host_is_gone_counts_while_no_fleet_of_it_shows_itself(
    elsewhere: Order, operator: User
) -> None:
    fleet("fleet@otherhost:17")
    refused(elsewhere, operator, "otherhost is not gone", host_is_gone=True)
    Heartbeat.objects.update(at=timezone.now() - dt.timedelta(seconds=60))
    declare(elsewhere, operator, host_is_gone=True)
    assert elsewhere.ord_status == OrdStatus.DENIED


def test_this_host_is_not_gone(unknown: Order, operator: User, fence: Fence) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    refused(unknown, operator, "is not gone", host_is_gone=True)


def test_a_container_that_bears_the_hosts_name_and_does_not_see_its_fleet_proves_nothing(
    unknown: Order, operator: User, gone: None
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    fleet(f"fleet@{HOST}:{ended.pid}")
    refused(unknown, operator, "cannot be seen from here")
    Heartbeat.objects.all().delete()
    fleet(f"fleet@{HOST}:{os.getpid()}")
    declare(unknown, operator)
    assert unknown.ord_status == OrdStatus.DENIED


def test_what_the_broker_has_twice_was_sent(unknown: Order, operator: User, gone: None) -> None:
    open_item(Kind.DUPLICATE_AT_BROKER, order=unknown, detail="one, two")
    refused(unknown, operator, "more than once")


def test_an_order_whose_outcome_is_known_cannot_be_resolved(desk: Desk, fence: Fence, operator: User) -> None:
    order = record_one(desk)
    send(order, fence, lambda _: make_report(order, ExecType.NEW))
    with pytest.raises(ResolutionRefused, match="it is NEW"):
        declare(order, operator)
    with pytest.raises(ResolutionRefused, match="it is NEW"):
        wish(order, operator)


def test_a_reason_is_needed(unknown: Order, operator: User, gone: None) -> None:
    with pytest.raises(ResolutionRefused, match="reason"):
        declare_never_sent(unknown.id, operator=operator, reason=" \n")
    unknown.refresh_from_db()
    assert unknown.ord_status == OrdStatus.SUBMITTED


def test_a_wish_about_an_earlier_sending_is_forgotten(
    desk: Desk, unknown_exit: Order, operator: User, gone: None
) -> None:
    wish(unknown_exit, operator)
    declare(unknown_exit, operator, send_again=True)
    successor = lease_of(desk, host=HOST, pid=os.getpid())
    send(unknown_exit, successor)
    assert unknown_exit.attempt == 2
    assert WorkerLease.objects.get(user=desk.user).epoch == successor.epoch
    assert wished_adoption(unknown_exit) is None


# --- what comes in afterwards ---


def test_an_adopted_order_is_followed_under_the_brokers_id(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    other = {"cl_ord_id": "6f1b7b1e-0000-4000-8000-00000000abcd", "broker_order_id": THEIRS}
    look(unknown, fence, theirs(unknown, **other))
    applied = apply_execution_report(
        make_fill(unknown, "10", **other), account_id=unknown.account_id, origin=Origin("stream", fence)
    )
    assert applied is not None
    assert (applied.order.pk, applied.order.ord_status) == (unknown.pk, OrdStatus.FILLED)
    assert not AttentionItem.objects.filter(kind=Kind.UNMATCHED_REPORT).exists()


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
