"""The one door for facts: in any order, any number of times, and the row says what the events say."""

import random
from decimal import Decimal
from typing import Any

import pytest

from brokers.refusals import RefusalCode
from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.models import AttentionItem, Errand, Execution, Order, OrderEvent
from orders.services.changes import Origin, state_of
from orders.services.executions import Applied, apply_execution_reports
from orders.state import event_from_dict, replay
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


def apply(desk: Desk, *reports: ExecutionReport) -> Applied | None:
    return apply_execution_reports(reports, account_id=desk.account.id, origin=Origin("stream"))


def status(order: Order, cum_qty: Decimal, **fields: Any) -> ExecutionReport:
    """Return what a broker answers that is asked for the order."""
    named = {"ord_status": OrdStatus.PARTIALLY_FILLED, "cum_qty": cum_qty} | fields
    return make_report(order, ExecType.ORDER_STATUS, **named)


def two_fills(order: Order) -> list[ExecutionReport]:
    """Return fills of 2 and of 3."""
    return [
        make_fill(order, "2", exec_id="a", cum_qty=Decimal(2)),
        make_fill(order, "3", exec_id="b", cum_qty=Decimal(5)),
    ]


def test_a_fill_counts_once_however_often_it_comes(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    fill = make_fill(order, "4", "100")
    for _ in range(3):
        apply(desk, fill)
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty, order.leaves_qty) == (OrdStatus.PARTIALLY_FILLED, 4, 6)
    assert Execution.objects.filter(order=order).count() == 1
    assert OrderEvent.objects.filter(order=order, kind="Trade").count() == 1


def test_a_fill_that_history_names_differently_counts_once(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_fill(order, "4", exec_id="stream-1", cum_qty=Decimal(4)))
    apply(desk, make_fill(order, "4", exec_id="history-1", cum_qty=Decimal(4)))
    apply(desk, make_fill(order, "4", exec_id="stream-2", cum_qty=Decimal(8)))
    order.refresh_from_db()
    assert order.cum_qty == 8


def test_a_fill_like_one_that_was_busted_counts(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_fill(order, "4", exec_id="a", cum_qty=Decimal(4)))
    apply(desk, make_report(order, ExecType.TRADE_CANCEL, exec_id="b", exec_ref_id="a"))
    apply(desk, make_fill(order, "4", exec_id="c", cum_qty=Decimal(4)))
    order.refresh_from_db()
    assert order.cum_qty == 4


def test_the_same_fill_of_a_second_order_at_the_broker_counts_too(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_fill(order, "10", exec_id="a", cum_qty=Decimal(10), broker_order_id="one"))
    apply(desk, make_fill(order, "10", exec_id="b", cum_qty=Decimal(10), broker_order_id="two"))
    order.refresh_from_db()
    assert order.cum_qty == 20
    kinds = set(AttentionItem.objects.filter(order=order).values_list("kind", flat=True))
    assert kinds == {AttentionItem.Kind.OVERFILL, AttentionItem.Kind.DUPLICATE_AT_BROKER}


def test_the_average_price_is_exact(desk: Desk) -> None:
    order = record_one(desk, quantity="3")
    apply(desk, make_fill(order, "1", "0.1", "a"), make_fill(order, "2", "0.2", "b"))
    order.refresh_from_db()
    assert order.avg_px == Decimal("0.1666666667")
    assert order.next_check_at is None


def test_an_overfill_is_counted_and_alarmed(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_fill(order, "10", exec_id="a"), make_fill(order, "5", exec_id="b"))
    order.refresh_from_db()
    assert (order.cum_qty, order.leaves_qty) == (15, 0)
    assert AttentionItem.objects.get(order=order).kind == AttentionItem.Kind.OVERFILL


def test_a_fill_after_the_cancel_counts(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_report(order, ExecType.NEW), make_report(order, ExecType.CANCELED))
    apply(desk, make_fill(order, "4"))
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty, order.leaves_qty) == (OrdStatus.CANCELED, 4, 0)


def test_a_bust_takes_the_fill_back(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_fill(order, "10", exec_id="a"))
    apply(desk, make_report(order, ExecType.TRADE_CANCEL, exec_id="b", exec_ref_id="a"))
    order.refresh_from_db()
    assert (order.cum_qty, order.leaves_qty, order.avg_px) == (0, 10, None)
    assert order.next_check_at is not None


def test_a_poll_never_makes_a_fill_and_keeps_asking(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    status = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.FILLED, cum_qty=Decimal(10))
    applied = apply(desk, status)
    assert applied is not None
    assert applied.missing_fills
    assert applied.order.cum_qty == 0
    assert applied.order.next_check_at is not None


def test_a_bust_that_nobody_heard_of_is_told_of_until_a_person_settles_it(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, *two_fills(order))
    apply(desk, status(order, Decimal(2)))
    apply(desk, make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED))
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty) == (OrdStatus.CANCELED, 5)
    item = AttentionItem.objects.get(order=order, resolved_at=None)
    assert item.kind == AttentionItem.Kind.BROKER_COUNTS_LESS
    assert item.detail == "the broker counts 2, the desk 5"


def test_an_answer_from_before_the_last_fill_is_no_bust(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    old = status(order, Decimal(2))
    apply(desk, *two_fills(order))
    apply(desk, old)
    assert not AttentionItem.objects.exists()


def test_what_one_of_two_orders_has_filled_is_no_bust(desk: Desk) -> None:
    order = record_one(desk, quantity="10")
    apply(desk, make_fill(order, "4", exec_id="a", cum_qty=Decimal(4), broker_order_id="one"))
    apply(desk, make_fill(order, "4", exec_id="b", cum_qty=Decimal(4), broker_order_id="two"))
    apply(desk, status(order, Decimal(4), broker_order_id="one"))
    assert AttentionItem.objects.get(order=order).kind == AttentionItem.Kind.DUPLICATE_AT_BROKER


def test_an_order_listed_as_rejected_is_rejected(desk: Desk) -> None:
    order = record_one(desk)
    apply(desk, make_report(order, ExecType.NEW))
    listed = {"ord_status": OrdStatus.REJECTED, "refusal": RefusalCode.HALTED, "text": "halted"}
    apply(desk, make_report(order, ExecType.ORDER_STATUS, **listed))
    order.refresh_from_db()
    assert (order.ord_status, order.reason) == (OrdStatus.REJECTED, "HALTED")


def test_a_report_of_no_order_of_ours_has_the_account_compared(desk: Desk) -> None:
    order = record_one(desk)
    stranger = make_report(order, ExecType.NEW, cl_ord_id="not-ours")
    assert apply(desk, stranger) is None
    assert apply(desk, stranger) is None
    errand = Errand.objects.get(user=desk.user)
    assert (errand.kind, errand.account) == (Errand.Kind.RECONCILE, desk.account)
    assert not AttentionItem.objects.exists()


def test_a_fill_whose_order_the_broker_does_not_name_is_put_on_the_list_once(desk: Desk) -> None:
    nameless = make_fill(record_one(desk), "10", cl_ord_id="")
    assert apply(desk, nameless) is None
    assert apply(desk, nameless) is None
    assert not Errand.objects.exists()
    assert AttentionItem.objects.get(user=desk.user).kind == AttentionItem.Kind.UNMATCHED_REPORT


def test_another_account_cannot_report_on_this_order(desk: Desk) -> None:
    order, other = record_one(desk), make_desk()
    assert apply(other, make_fill(order, "10")) is None
    order.refresh_from_db()
    assert order.cum_qty == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_row_is_the_projection_of_its_events_in_whatever_order_they_come(desk: Desk, seed: int) -> None:
    dice = random.Random(seed)
    order = record_one(desk, quantity="10")
    facts = [
        make_report(order, ExecType.PENDING_NEW),
        make_report(order, ExecType.NEW),
        *(make_fill(order, str(qty), str(90 + qty), f"x{qty}") for qty in (1, 2, 3, 4)),
        make_report(order, ExecType.TRADE_CANCEL, exec_id="b", exec_ref_id="x2"),
        make_report(order, ExecType.CANCELED),
    ]
    told = facts + dice.choices(facts, k=4)
    dice.shuffle(told)
    while told:
        batch = [told.pop() for _ in range(min(len(told), dice.randint(1, 3)))]
        apply(desk, *batch)
    stored = Order.objects.get(pk=order.pk)
    rows = OrderEvent.objects.filter(order=order).exclude(kind="Recorded").order_by("id")
    rebuilt = replay(Decimal(10), [event_from_dict(row.data) for row in rows])
    assert rebuilt == state_of(stored)
    assert (stored.ord_status, stored.cum_qty, stored.leaves_qty, stored.avg_px) == (
        rebuilt.ord_status,
        rebuilt.cum_qty,
        rebuilt.leaves_qty,
        rebuilt.avg_px,
    )
    assert (stored.cum_qty, stored.leaves_qty) == (8, 0)
