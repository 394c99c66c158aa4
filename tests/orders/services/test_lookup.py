"""Looking up what is unknown, by the broker's idempotency class."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.alpaca.values import UnreadableFact
from brokers.errors import BrokerUnavailable, OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, IdempotencyClass, OrdStatus
from orders.models import AttentionItem, Order, OrderEvent
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence
from orders.services.lookup import look_up_order
from orders.services.repeating import repeats_too_late
from orders.services.submission_answers import undo_submission
from orders.services.verification import verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import UNKNOWN, resting, send_order, submit
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

A, B, C = IdempotencyClass.A, IdempotencyClass.B, IdempotencyClass.C
LOOK_UPS = 4
Kind = AttentionItem.Kind


def adapter(cls: IdempotencyClass, **answers: Any) -> ScriptedAdapter:
    return ScriptedAdapter(idempotency_class=cls, **answers)


def look_up(order: Order, broker: ScriptedAdapter, fence: Fence, times: int = 1) -> Order:
    for _ in range(times):
        order.refresh_from_db()
        look_up_order(order, adapter=broker, fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    return order


def kinds(order: Order) -> list[str]:
    open_items = AttentionItem.objects.filter(order=order, resolved_at=None)
    return sorted(open_items.values_list("kind", flat=True))


# --- class B ---


def with_window(seconds: int, **answers: Any) -> ScriptedAdapter:
    return adapter(B, dedupe_window_seconds=seconds, **answers)


def sent_ago(order: Order, seconds: float) -> None:
    Order.objects.filter(pk=order.pk).update(submitted_at=timezone.now() - dt.timedelta(seconds=seconds))


def test_class_b_sends_again_inside_its_window(unknown: Order, fence: Fence) -> None:
    look_up(unknown, with_window(60), fence, LOOK_UPS - 1)
    assert unknown.ord_status == OrdStatus.SUBMITTED, "what was sent may still be on its way"
    look_up(unknown, with_window(60), fence)
    assert unknown.ord_status == OrdStatus.INITIALIZED


@pytest.mark.parametrize(("age", "again"), [(49, True), (51, False), (61, False)])
def test_what_class_b_sends_again_arrives_before_the_broker_forgets(
    unknown: Order, fence: Fence, settings: Any, age: float, again: bool
) -> None:
    settings.BROKER_TIMEOUT_SECONDS = 10
    sent_ago(unknown, age)
    look_up(unknown, with_window(60), fence, LOOK_UPS)
    assert (unknown.ord_status == OrdStatus.INITIALIZED) is again
    assert kinds(unknown) == ([] if again else [Kind.OUTCOME_UNKNOWN])


def test_the_window_counts_from_the_first_sending(unknown: Order, fence: Fence) -> None:
    sent_ago(unknown, 55)
    undo_submission(unknown.id, 1, "connection refused", eligible_at=None, fence=fence)
    send_order(unknown, fence, UNKNOWN)
    assert unknown.attempt == 2
    look_up(unknown, with_window(60), fence, LOOK_UPS)
    assert unknown.ord_status == OrdStatus.SUBMITTED


def test_a_repeat_that_waited_past_the_window_is_too_late(unknown: Order, fence: Fence) -> None:
    broker = with_window(60)
    look_up(unknown, broker, fence, LOOK_UPS)
    now = timezone.now()
    assert not repeats_too_late(unknown, broker.capabilities, now)
    assert repeats_too_late(unknown, broker.capabilities, now + dt.timedelta(seconds=60))
    assert not repeats_too_late(unknown, adapter(A).capabilities, now + dt.timedelta(days=9))


def test_what_provably_never_left_is_never_too_late(desk: Desk, fence: Fence) -> None:
    order = send_order(record_one(desk), fence, BrokerUnavailable("refused"))
    late = timezone.now() + dt.timedelta(days=1)
    for cls in (A, B, C):
        assert not repeats_too_late(order, adapter(cls).capabilities, late)


# --- an answer that cannot be read ---


@pytest.mark.parametrize("cls", [A, B, C])
def test_an_order_that_is_there_and_cannot_be_read_is_never_sent_again(
    unknown: Order, fence: Fence, cls: IdempotencyClass
) -> None:
    """Asked for by its id it is unreadable; among others it is not listed."""
    broker = adapter(cls, found=UnreadableFact("unknown order status"), dedupe_window_seconds=60)
    look_up(unknown, broker, fence, LOOK_UPS + 2)
    assert unknown.ord_status == OrdStatus.SUBMITTED
    assert unknown.checks == LOOK_UPS + 2
    assert kinds(unknown) == [Kind.OUTCOME_UNKNOWN]


def test_an_order_that_works_and_cannot_be_read_is_asked_for_again(desk: Desk, fence: Fence) -> None:
    order = resting(desk, fence)
    for _ in range(LOOK_UPS + 2):
        order.refresh_from_db()
        verify_account(order.account_id, [order], adapter=adapter(A), fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert (order.ord_status, order.attempt) == (OrdStatus.NEW, 1)
    assert order.next_check_at is not None


# --- class C ---


@pytest.mark.parametrize("cls", [B, C])  # B without a window is as C
def test_class_c_is_never_sent_again_and_stays_on_the_list(
    unknown: Order, fence: Fence, cls: IdempotencyClass
) -> None:
    look_up(unknown, adapter(cls), fence, LOOK_UPS - 1)
    assert kinds(unknown) == []
    look_up(unknown, adapter(cls), fence, 20)
    assert (unknown.ord_status, unknown.attempt) == (OrdStatus.SUBMITTED, 1)
    assert kinds(unknown) == [Kind.OUTCOME_UNKNOWN]
    assert unknown.next_check_at is not None
    assert unknown.next_check_at - timezone.now() > dt.timedelta(seconds=20), "it is asked about too often"


def test_class_c_finds_by_listing_what_it_does_not_find_by_id(unknown: Order, fence: Fence) -> None:
    working = make_report(unknown, ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW)
    look_up(unknown, adapter(C, found=None, listed=[working]), fence)
    assert (unknown.ord_status, unknown.broker_order_id) == (OrdStatus.NEW, working.broker_order_id)


def test_class_c_is_proven_by_its_fills(unknown: Order, fence: Fence) -> None:
    stranger = make_fill(unknown, "3", exec_id="x0", cl_ord_id="somebody-elses")
    fills = [stranger, make_fill(unknown, "4"), make_fill(unknown, "6", exec_id="x2")]
    look_up(unknown, adapter(C, executions=fills), fence)
    assert (unknown.ord_status, unknown.cum_qty) == (OrdStatus.FILLED, Decimal(10))


def test_what_is_found_closes_the_item(unknown_exit: Order, fence: Fence) -> None:
    look_up(unknown_exit, adapter(C), fence)
    assert kinds(unknown_exit) == [Kind.OUTCOME_UNKNOWN]
    found = make_report(unknown_exit, ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW)
    look_up(unknown_exit, adapter(C, found=found), fence)
    assert (unknown_exit.ord_status, kinds(unknown_exit)) == (OrdStatus.NEW, [])


@pytest.mark.parametrize("found", [None, OutcomeUnknown("timeout"), BrokerUnavailable("refused")])
def test_an_unresolved_exit_alarms_at_the_first_look_up(
    unknown_exit: Order, fence: Fence, found: Any
) -> None:
    look_up(unknown_exit, adapter(C, found=found), fence)
    assert kinds(unknown_exit) == [Kind.OUTCOME_UNKNOWN]
    assert unknown_exit.ord_status == OrdStatus.SUBMITTED


def test_an_exit_at_class_a_is_sent_again_without_an_alarm(unknown_exit: Order, fence: Fence) -> None:
    look_up(unknown_exit, adapter(A), fence, LOOK_UPS)
    assert (unknown_exit.ord_status, kinds(unknown_exit)) == (OrdStatus.INITIALIZED, [])


@pytest.mark.parametrize("cls", [B, C])
def test_two_orders_of_one_id_are_told_of_and_neither_is_adopted(
    unknown: Order, fence: Fence, cls: IdempotencyClass
) -> None:
    twins = [make_report(unknown, ExecType.ORDER_STATUS, broker_order_id=name) for name in ("one", "two")]
    look_up(unknown, adapter(cls, found=twins[1], listed=twins), fence, LOOK_UPS)
    assert (unknown.ord_status, unknown.broker_order_id) == (OrdStatus.SUBMITTED, "")
    assert Kind.DUPLICATE_AT_BROKER in kinds(unknown)
    detail = AttentionItem.objects.get(order=unknown, kind=Kind.DUPLICATE_AT_BROKER).detail
    assert "one, two" in detail


def test_two_orders_are_seen_by_their_fills_too(unknown: Order, fence: Fence) -> None:
    fills = [
        make_fill(unknown, "10", broker_order_id="one"),
        make_fill(unknown, "10", exec_id="x2", broker_order_id="two"),
    ]
    look_up(unknown, adapter(C, executions=fills), fence)
    assert unknown.cum_qty == 0
    assert Kind.DUPLICATE_AT_BROKER in kinds(unknown)


def test_a_look_up_that_fails_changes_nothing_but_the_schedule(unknown: Order, fence: Fence) -> None:
    look_up(unknown, adapter(C, found=OutcomeUnknown("timeout")), fence, LOOK_UPS)
    assert (unknown.ord_status, unknown.checks) == (OrdStatus.SUBMITTED, LOOK_UPS)
    assert OrderEvent.objects.filter(order=unknown, kind="Checked").count() == LOOK_UPS


def test_the_alarm_is_an_error_in_the_log_once(
    unknown_exit: Order, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("orders.services.lookup.log.error", lambda event, **_: told.append(event))
    look_up(unknown_exit, adapter(C), fence, 3)
    assert told == ["the outcome of an exit is unknown"]


def test_a_repeat_that_comes_too_late_is_not_sent(unknown: Order, fence: Fence) -> None:
    broker = with_window(60, submit=OutcomeUnknown("it was sent"))
    look_up(unknown, broker, fence, LOOK_UPS)
    sent_ago(unknown, 61)
    applied = submit(unknown, broker, fence)
    unknown.refresh_from_db()
    assert (applied, broker.sent, unknown.ord_status) == (None, [], OrdStatus.SUBMITTED)
    look_up(unknown, broker, fence, LOOK_UPS)
    assert (unknown.ord_status, kinds(unknown)) == (OrdStatus.SUBMITTED, [Kind.OUTCOME_UNKNOWN])


# --- later: two of a working order ---


def test_the_streams_word_closes_an_exits_item_too(unknown_exit: Order, fence: Fence) -> None:
    look_up(unknown_exit, adapter(C), fence)
    assert kinds(unknown_exit) == [Kind.OUTCOME_UNKNOWN]
    hear(unknown_exit, make_report(unknown_exit, ExecType.NEW), fence)
    assert kinds(unknown_exit) == []


def test_a_second_order_of_the_id_is_told_of_and_its_fills_count(unknown: Order, fence: Fence) -> None:
    hear(unknown, make_report(unknown, ExecType.NEW, broker_order_id="one"), fence)
    assert kinds(unknown) == []
    hear(unknown, make_report(unknown, ExecType.CANCELED, broker_order_id="two"), fence)
    assert (unknown.ord_status, kinds(unknown)) == (OrdStatus.NEW, [Kind.DUPLICATE_AT_BROKER])
    hear(unknown, make_fill(unknown, "4", broker_order_id="two"), fence)
    assert (unknown.cum_qty, unknown.broker_order_id) == (Decimal(4), "one")


def test_a_check_that_lists_two_is_told_of(unknown: Order, desk: Desk, fence: Fence) -> None:
    hear(unknown, make_report(unknown, ExecType.NEW, broker_order_id="one"), fence)
    twins = [make_report(unknown, ExecType.ORDER_STATUS, broker_order_id=name) for name in ("two", "one")]
    broker = adapter(C, listed=twins)
    verify_account(desk.account.id, [unknown], adapter=broker, fence=fence)  # type: ignore[arg-type]
    assert kinds(unknown) == [Kind.DUPLICATE_AT_BROKER]


def hear(order: Order, report: ExecutionReport, fence: Fence) -> None:
    apply_execution_report(report, account_id=order.account_id, origin=Origin("stream", fence))
    order.refresh_from_db()
