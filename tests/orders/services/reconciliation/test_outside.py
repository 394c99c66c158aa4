"""Orders that somebody else has placed: recorded, counted, followed, and a position that they close."""

from decimal import Decimal

import pytest

from brokers.types import OrdStatus, OrdType, Side
from orders.models import (
    AccountHalt,
    AttentionItem,
    Errand,
    Execution,
    Order,
    OrderRequest,
    Position,
    ReconciliationFinding,
    Source,
    Trade,
)
from orders.services.quantities import closable_quantity
from tests.factories.books import Books, compare
from tests.factories.leases import Fence
from tests.factories.reports import make_report
from tests.factories.sending import hear, hold
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


def external() -> Order:
    return Order.objects.get(source=Source.EXTERNAL)


def kinds() -> list[str]:
    return list(ReconciliationFinding.objects.order_by("id").values_list("kind", flat=True))


def test_a_position_closed_outside_is_closed_here_at_that_price(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    books.traded(Side.SELL, "10", "104.5")
    books.hold("0")
    compare(desk, fence, books)
    trade = Trade.objects.get()
    assert (trade.status, trade.exit_reason, trade.realized_pnl) == ("CLOSED", "MANUAL_EXIT", Decimal(45))
    order = external()
    assert (order.ord_status, order.position_effect, order.ord_type) == ("FILLED", "CLOSE", "MARKET")
    assert (order.avg_px, order.exit_reason) == (Decimal("104.5"), "MANUAL_EXIT")
    assert Position.objects.get().qty == 0
    assert kinds() == ["EXTERNAL_ORDER"]
    assert not AccountHalt.objects.exists()


def test_a_second_run_changes_nothing(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    books.traded(Side.SELL, "4", "104")
    books.hold("6")
    compare(desk, fence, books)
    before = (Order.objects.count(), Execution.objects.count(), kinds())
    run, applied = compare(desk, fence, books)
    assert applied == []
    assert run.findings.count() == 0
    assert (Order.objects.count(), Execution.objects.count(), kinds()) == before
    assert not Errand.objects.exists()


def test_every_part_of_a_bracket_is_recorded_and_followed(desk: Desk, fence: Fence) -> None:
    books = Books()
    entry = books.order(Side.BUY, "5", price=Decimal(99), ord_type=OrdType.LIMIT)
    books.order(Side.SELL, "5", OrdStatus.PENDING_NEW, price=Decimal(110))
    books.order(Side.SELL, "5", OrdStatus.PENDING_NEW, stop_px=Decimal(90), symbol="MSFT")
    trailing = {"ord_type": OrdType.TRAILING_STOP, "trail_percent": Decimal(2), "stop_px": Decimal(98)}
    books.order(Side.SELL, "5", **trailing)
    compare(desk, fence, books)
    orders = Order.objects.order_by("id")
    assert [(one.source, one.ord_type, one.ended) for one in orders] == [
        ("external", "LIMIT", False),
        ("external", "LIMIT", False),
        ("external", "STOP", False),
        ("external", "TRAILING_STOP", False),
    ]
    first = orders[0]
    assert (first.working_cl_ord_id, first.broker_order_id) == (entry.cl_ord_id, entry.broker_order_id)
    assert first.next_check_at is not None
    hear(first, make_report(first, "CANCELED", cl_ord_id=entry.cl_ord_id))  # type: ignore[arg-type]
    assert first.ord_status == "CANCELED"
    assert not OrderRequest.objects.exists(), "the desk asks nothing of somebody else's order"


def test_a_resting_outside_exit_counts_in_what_may_still_be_closed(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    books.order(Side.SELL, "4", price=Decimal(120), ord_type=OrdType.LIMIT)
    compare(desk, fence, books)
    assert external().position_effect == "CLOSE"
    assert closable_quantity(desk.account, "AAPL", Side.SELL) == 6


def test_a_report_of_an_unknown_order_has_the_account_compared(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    order = Order.objects.get()
    books = Books.of(desk)
    theirs = books.traded(Side.SELL, "10", "104")
    books.hold("0")
    hear(order, books.executions[-1])
    assert Errand.objects.get().kind == "RECONCILE"
    assert not AttentionItem.objects.exists()
    compare(desk, fence, books)
    hear(order, books.executions[-1])  # the stream tells it again, or late
    assert Execution.objects.filter(order=external()).count() == 1
    assert external().broker_order_id == theirs.broker_order_id


def test_an_exit_that_is_left_over_is_canceled_and_an_outside_one_is_not(desk: Desk, fence: Fence) -> None:
    from tests.factories.sending import at_broker

    hold(desk, "10")
    exit_ = at_broker(desk, action="close_long", quantity=None, price="120")
    books = Books.of(desk)
    books.shows(exit_)
    books.order(Side.SELL, "10", price=Decimal(130), ord_type=OrdType.LIMIT)
    books.traded(Side.SELL, "10", "104")
    books.hold("0")
    compare(desk, fence, books)
    request = OrderRequest.objects.get()
    assert (request.order_id, request.kind, request.source) == (exit_.id, "CANCEL", "desk")
    assert "EXIT_CANCELED" in kinds()
    compare(desk, fence, books)
    assert OrderRequest.objects.count() == 1


def test_an_order_replaced_outside_has_the_new_terms(desk: Desk, fence: Fence) -> None:
    from tests.factories.sending import at_broker

    order = at_broker(desk)
    books = Books.of(desk)
    books.shows(order, OrdStatus.REPLACED, replaced_by="new-id")
    new = books.order(
        Side.BUY, "7", broker_order_id="new-id", replaces=order.broker_order_id, price=Decimal(98)
    )
    compare(desk, fence, books)
    order.refresh_from_db()
    assert (order.ord_status, order.order_qty, order.price) == ("NEW", 7, 98)
    assert (order.working_cl_ord_id, order.broker_order_id) == (new.cl_ord_id, "new-id")
    assert kinds() == ["REPLACED_OUTSIDE"]
    assert Order.objects.count() == 1
    # A late fill of the old one, and one of the new one, are fills of this order.
    old = make_report(order, "TRADE", exec_id="late", last_qty=Decimal(2), last_px=Decimal(98))  # type: ignore[arg-type]
    hear(order, old)
    hear(order, books.fill(new, "5", "98", cum_qty=Decimal(5)))
    assert (order.ord_status, order.cum_qty) == ("FILLED", 7)
    compare(desk, fence, books)
    assert kinds() == ["REPLACED_OUTSIDE"]


def test_an_order_by_an_amount_of_money_waits_for_its_quantity(desk: Desk, fence: Fence) -> None:
    books = Books()
    books.order(Side.BUY, "0")
    compare(desk, fence, books)
    assert not Order.objects.exists()
