"""Positions that nothing explains: halted at once, booked when two runs agree, never while something moves."""

import datetime as dt
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.types import CorporateAction, OrdStatus, Side
from orders.models import (
    AccountHalt,
    AttentionItem,
    Errand,
    Execution,
    Order,
    Position,
    ReconciliationFinding,
    Trade,
)
from orders.services.leases import LeaseLost
from orders.services.reconciliation.booking import book_by_operator
from orders.services.reconciliation.halts import lift_halt
from tests.factories.alerts import record_one
from tests.factories.books import Books, compare
from tests.factories.leases import Fence
from tests.factories.reports import make_fill
from tests.factories.sending import accept, at_broker, hear, hold, send_order, submit
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


def finding(kind: str = "POSITION_DIFFERS") -> ReconciliationFinding:
    return ReconciliationFinding.objects.get(kind=kind)


@pytest.fixture
def drifted(desk: Desk, fence: Fence) -> Books:
    """The broker has nothing of what the desk holds, and tells of no order."""
    hold(desk, "10")
    books = Books.of(desk)
    books.hold("0")
    books.quotes["AAPL"] = ("103", "105")
    return books


def test_nothing_is_booked_on_a_first_sight(desk: Desk, fence: Fence, drifted: Books) -> None:
    compare(desk, fence, drifted)
    assert (finding().ours, finding().theirs, finding().resolved_at) == ("10 at 100", "none", None)
    assert Position.objects.get().qty == 10
    errand = Errand.objects.get()
    assert errand.due_at > timezone.now() + dt.timedelta(seconds=5), "looked at again, not at once"


def test_what_two_runs_find_is_booked_at_the_last_price(desk: Desk, fence: Fence, drifted: Books) -> None:
    compare(desk, fence, drifted)
    run, applied = compare(desk, fence, drifted)
    trade = Trade.objects.get()
    assert (trade.status, trade.exit_reason, trade.realized_pnl) == ("CLOSED", "MANUAL_EXIT", 40)
    execution = Execution.objects.latest("id")
    assert execution.exec_id == f"reconcile-{run.pk}-AAPL"
    order = execution.order
    assert (order.source, order.reason, order.ord_status) == ("external", "RECONCILED", "FILLED")
    assert [one.order for one in applied] == [order]
    assert finding().resolution == f"booked as SELL 10 at 104, {execution.exec_id}"
    assert not AccountHalt.objects.filter(lifted_at=None).exists()
    compare(desk, fence, drifted)
    assert Execution.objects.count() == 2
    assert not Errand.objects.exists()


@pytest.mark.parametrize(
    ("quote", "price"),
    [((None, "105"), 105), (("103", None), 103), ((None, None), 100), (None, 100)],
)
def test_without_a_whole_quote(
    desk: Desk,
    fence: Fence,
    drifted: Books,
    quote: tuple[str | None, str | None] | None,
    price: int,
) -> None:
    del drifted.quotes["AAPL"]
    if quote:
        drifted.quotes["AAPL"] = quote
    compare(desk, fence, drifted)
    compare(desk, fence, drifted)
    assert Execution.objects.latest("id").last_px == price


def test_what_the_broker_has_more_is_booked_at_what_it_cost(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    books.hold("20", "110")
    compare(desk, fence, books)
    compare(desk, fence, books)
    position = Position.objects.get()
    assert (position.qty, position.cost) == (20, 2200)


def test_a_difference_that_changes_is_not_confirmed(desk: Desk, fence: Fence, drifted: Books) -> None:
    compare(desk, fence, drifted)
    drifted.hold("3", "90")
    compare(desk, fence, drifted)
    assert Execution.objects.count() == 1
    assert (finding().runs_seen, finding().theirs) == (1, "3 at 90")


def test_a_difference_that_goes_is_settled(desk: Desk, fence: Fence, drifted: Books) -> None:
    compare(desk, fence, drifted)
    drifted.hold("10")
    compare(desk, fence, drifted)
    assert finding().resolution == "The books agree again."
    halt = AccountHalt.objects.get()
    assert (halt.lift_reason, halt.lifted_by) == ("Everything was explained.", None)
    assert AttentionItem.objects.get().resolved_at is not None


def test_books_that_move_are_not_compared(desk: Desk, fence: Fence, drifted: Books) -> None:
    drifted.on_positions = lambda: drifted.order(Side.BUY, "1") and None
    run, _ = compare(desk, fence, drifted)
    assert not run.is_settled
    assert drifted.asked.count("positions") == 3
    assert not ReconciliationFinding.objects.filter(kind="POSITION_DIFFERS").exists()
    assert Errand.objects.get().due_at > timezone.now() + dt.timedelta(seconds=20)


def test_a_fill_during_the_reading_is_read_again_and_is_no_difference(desk: Desk, fence: Fence) -> None:
    books = Books()

    def trade_once() -> None:
        if not books.orders:
            books.traded(Side.BUY, "2", "100")
            return
        books.hold("2")

    books.on_positions = trade_once
    run, _ = compare(desk, fence, books)
    assert run.is_settled
    assert Position.objects.get().qty == 2
    assert not ReconciliationFinding.objects.filter(kind="POSITION_DIFFERS").exists()


def test_a_fill_that_only_the_stream_has_told_books_nothing(desk: Desk, fence: Fence) -> None:
    order = at_broker(desk)
    books = Books.of(desk)
    books.shows(order)
    hear(order, make_fill(order, "10"))  # the broker's list does not show it yet
    for _ in range(3):
        compare(desk, fence, books)
    assert Execution.objects.count() == 1
    assert not ReconciliationFinding.objects.filter(kind="POSITION_DIFFERS").exists()
    assert Errand.objects.get().due_at > timezone.now() + dt.timedelta(seconds=20)


def test_an_order_in_flight_books_nothing(desk: Desk, fence: Fence, drifted: Books) -> None:
    from tests.factories.sending import UNKNOWN

    send_order(record_one(desk, quantity="1"), fence, UNKNOWN)
    for _ in range(3):
        compare(desk, fence, drifted)
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_split_is_told_of_and_never_booked(desk: Desk, fence: Fence, told: bool) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    books.hold("20", "50")
    if told:
        books.actions = [CorporateAction("AAPL", Decimal(10), timezone.now().date(), "2 for 1")]
    for _ in range(3):
        compare(desk, fence, books)
    assert (finding("CORPORATE_ACTION").ours, finding("CORPORATE_ACTION").runs_seen) == ("10 at 100", 3)
    assert Position.objects.get().qty == 10
    assert AccountHalt.objects.get().lifted_at is None


def test_entries_are_denied_while_the_books_differ_and_exits_go_on(
    desk: Desk, fence: Fence, drifted: Books
) -> None:
    waiting = record_one(desk, symbol="MSFT", quantity="1")
    drifted.hold("4")
    compare(desk, fence, drifted)
    submit(waiting, accept(waiting), fence)
    waiting.refresh_from_db()
    assert (waiting.ord_status, waiting.reason, waiting.attempt) == ("DENIED", "DRIFT_HALT", 0)
    entry = record_one(desk, symbol="MSFT", quantity="1")
    assert (entry.ord_status, entry.reason) == ("DENIED", "DRIFT_HALT")
    assert Trade.objects.get(orders=entry).status == "CANCELED"
    exit_ = record_one(desk, action="close_long", quantity=None)
    assert exit_.ord_status == "INITIALIZED"
    submit(exit_, accept(exit_), fence)
    exit_.refresh_from_db()
    assert exit_.ord_status == "NEW"
    assert AttentionItem.objects.get().kind == "DRIFT_HALT"


def test_an_operator_lifts_a_halt_and_the_same_difference_does_not_halt_again(
    desk: Desk, fence: Fence
) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    books.hold("20", "50")
    compare(desk, fence, books)
    operator = User.objects.create(username="olga")
    assert lift_halt(AccountHalt.objects.get(), operator, "two for one, known")
    assert not lift_halt(AccountHalt.objects.get(), operator, "again")
    compare(desk, fence, books)
    assert AccountHalt.objects.get().lift_reason == "olga: two for one, known"
    assert record_one(desk, symbol="MSFT").ord_status == "INITIALIZED"
    books.hold("21", "50")
    compare(desk, fence, books)
    assert AccountHalt.objects.filter(lifted_at=None).count() == 1


@pytest.mark.parametrize(("theirs", "avg_px"), [("20", "50"), ("5", "200")])
def test_an_operator_has_a_split_booked_and_neither_cash_nor_the_outcome_changes(
    desk: Desk, fence: Fence, theirs: str, avg_px: str
) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    compare(desk, fence, books)
    books.hold(theirs, avg_px)
    compare(desk, fence, books)
    operator = User.objects.create(username="olga")
    assert book_by_operator(finding("CORPORATE_ACTION"), operator, Decimal(0), "split")
    assert not book_by_operator(finding("CORPORATE_ACTION"), operator, Decimal(0), "split")
    position = Position.objects.get()
    assert (position.qty, position.cash) == (Decimal(theirs), -1000)
    assert AccountHalt.objects.get().lifted_at is not None
    compare(desk, fence, books)
    assert ReconciliationFinding.objects.count() == 1
    exit_ = record_one(desk, action="close_long", quantity=None)
    hear(exit_, make_fill(exit_, theirs, avg_px, exec_id="out"))
    assert Trade.objects.get().realized_pnl == 0


def test_a_worker_whose_lease_has_gone_records_nothing(desk: Desk, fence: Fence, drifted: Books) -> None:
    from dataclasses import replace

    with pytest.raises(LeaseLost):
        compare(desk, replace(fence, epoch=fence.epoch - 1), drifted)
    assert not ReconciliationFinding.objects.exists()


def test_a_working_order_that_the_broker_does_not_have_halts(desk: Desk, fence: Fence) -> None:
    order = at_broker(desk)
    Order.objects.filter(pk=order.pk).update(transact_time=timezone.now() - dt.timedelta(minutes=1))
    books = Books()
    compare(desk, fence, books)
    assert finding("ORDER_MISSING").order == order
    assert AccountHalt.objects.get().lifted_at is None
    books.shows(order, OrdStatus.CANCELED)
    compare(desk, fence, books)
    order.refresh_from_db()
    assert order.ord_status == "CANCELED"
    assert AccountHalt.objects.get().lifted_at is not None
