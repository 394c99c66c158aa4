"""Positions and the trade journal follow the executions, whatever order these come in."""

import datetime as dt
import itertools
import random
import threading
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.ledger.positions import position_differences
from orders.models import Execution, ExitReason, Order, Position, Trade, TradeOrder
from orders.selectors import net_position
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.positions import books_of
from orders.services.unsent import deny_order
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 11, 20, 17, 0, tzinfo=dt.UTC)
Status, Role = Trade.Status, TradeOrder.Role


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def apply(desk: Desk, *reports: ExecutionReport) -> None:
    for report in reports:
        apply_execution_reports([report], account_id=desk.account.id, origin=Origin("stream"))


def fill(order: Order, qty: str, price: str, number: int, **fields: object) -> ExecutionReport:
    """Return the fill with this number, a second after the one before it."""
    at = NOON + dt.timedelta(seconds=number)
    return make_fill(order, qty, price, f"x{number}", transact_time=at, **fields)


def entry(desk: Desk, quantity: str = "10", action: str = "buy") -> Order:
    return record_one(desk, action=action, quantity=quantity)


def position_of(desk: Desk) -> Position:
    return Position.objects.get(account=desk.account, symbol="AAPL")


def trades_of(desk: Desk) -> list[Trade]:
    return list(Trade.objects.filter(account=desk.account).order_by("id"))


def assert_as_from_scratch(desk: Desk) -> None:
    """The rows say what the executions make when they are booked from nothing."""
    position, books = position_of(desk), books_of(Execution.objects.filter(account=desk.account))
    for name in ("qty", "cost", "realized_pnl", "fees", "cash"):
        assert getattr(position, name) == getattr(books.position, name), name
    trips = [*books.closed_trips, *([books.open_trip] if books.open_trip else [])]
    rows = [trade for trade in trades_of(desk) if trade.status in (Status.POSITION, Status.CLOSED)]
    rows.sort(key=lambda trade: (trade.opened_at, trade.closed_at or timezone.now()))
    assert [
        (
            row.side,
            row.entry_qty,
            row.entry_amount,
            row.exit_qty,
            row.exit_amount,
            row.realized_pnl,
            row.closed_at,
        )
        for row in rows
    ] == [
        (
            one.side,
            one.entry_qty,
            one.entry_amount,
            one.exit_qty,
            one.exit_amount,
            one.realized_pnl,
            one.closed_at,
        )
        for one in trips
    ]
    legs = TradeOrder.objects.filter(trade__in=rows, qty__gt=0)
    assert sum(leg.qty for leg in legs) == sum(leg.qty for trip in trips for leg in trip.legs)


def test_an_entry_is_ordered_then_a_position_then_closed(desk: Desk) -> None:
    order = entry(desk)
    (trade,) = trades_of(desk)
    assert (trade.status, trade.side, trade.strategy, trade.opened_at) == (
        "ORDERED",
        "LONG",
        desk.strategy,
        None,
    )
    apply(desk, fill(order, "4", "100", 1))
    (trade,) = trades_of(desk)
    assert (trade.status, trade.entry_qty, trade.entry_amount) == (Status.POSITION, 4, 400)
    apply(desk, fill(order, "6", "110", 2))
    position = position_of(desk)
    assert (position.qty, position.cost, position.cash) == (10, 1060, -1060)
    way_out = record_one(desk, action="close_long")
    apply(desk, fill(way_out, "10", "107", 3))
    (trade,) = trades_of(desk)
    assert (trade.status, trade.exit_qty, trade.realized_pnl) == (Status.CLOSED, 10, 10)
    assert trade.exit_reason == ExitReason.SIGNAL
    assert trade.closed_at == NOON + dt.timedelta(seconds=3)
    legs = {(leg.order_id, leg.role): leg.qty for leg in trade.legs.all()}
    assert legs == {(order.id, Role.ENTRY): 10, (way_out.id, Role.EXIT): 10}
    assert_as_from_scratch(desk)


def test_an_entry_that_is_never_filled_leaves_a_canceled_trade(desk: Desk) -> None:
    first, second = entry(desk), entry(desk)
    assert [trade.status for trade in trades_of(desk)] == [Status.ORDERED], "both wait for the same trip"
    deny_order(first.id, reason="TOO_OLD", text="", source="sweep")
    assert [trade.status for trade in trades_of(desk)] == [Status.ORDERED]
    deny_order(second.id, reason="TOO_OLD", text="", source="sweep")
    (trade,) = trades_of(desk)
    assert trade.status == Status.CANCELED
    assert trade.closed_at is not None


def test_a_fill_after_the_end_takes_up_the_trade_that_was_canceled(desk: Desk) -> None:
    order = entry(desk)
    apply(
        desk,
        make_report(order, ExecType.NEW),
        make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED),
    )
    assert [trade.status for trade in trades_of(desk)] == [Status.CANCELED]
    apply(desk, fill(order, "10", "100", 1))
    assert [trade.status for trade in trades_of(desk)] == [Status.POSITION]


def test_an_add_belongs_to_the_trade_under_way(desk: Desk) -> None:
    first = entry(desk)
    apply(desk, fill(first, "10", "100", 1))
    added = entry(desk, "5")
    assert len(trades_of(desk)) == 1
    apply(desk, fill(added, "5", "103", 2))
    (trade,) = trades_of(desk)
    assert (trade.entry_qty, trade.entry_amount) == (15, 1515)
    assert {leg.order_id for leg in trade.legs.all()} == {first.id, added.id}


def test_two_entries_at_once_are_one_trade_and_leave_no_other_waiting(desk: Desk) -> None:
    first = entry(desk)
    apply(desk, fill(first, "10", "100", 1))
    way_out, again = record_one(desk, action="close_long"), entry(desk)
    apply(desk, fill(again, "10", "101", 2), fill(way_out, "10", "102", 3))
    assert position_of(desk).qty == 10
    assert [trade.status for trade in trades_of(desk)] == [Status.POSITION]
    assert_as_from_scratch(desk)


def test_one_fill_closes_and_opens(desk: Desk) -> None:
    long = entry(desk, "3")
    apply(desk, fill(long, "3", "100", 1))
    short = entry(desk, "5", "sell")
    assert [trade.side for trade in trades_of(desk)] == ["LONG", "SHORT"]
    apply(desk, fill(short, "5", "90", 2))
    closed, opened = trades_of(desk)
    assert (closed.status, closed.realized_pnl, closed.exit_reason) == (Status.CLOSED, -30, "REVERSED")
    assert (opened.status, opened.entry_qty, opened.entry_amount) == (Status.POSITION, 2, 180)
    assert {leg.role for leg in short.trade_legs.filter(qty__gt=0)} == {Role.EXIT, Role.ENTRY}
    position = position_of(desk)
    assert (position.qty, position.cost, position.realized_pnl) == (-2, -180, -30)
    assert net_position(desk.account, "AAPL") == -2
    assert_as_from_scratch(desk)


def test_a_bust_and_a_correction_make_the_books_anew(desk: Desk) -> None:
    order = entry(desk)
    apply(desk, fill(order, "4", "100", 1), fill(order, "6", "110", 2))
    corrects = {"exec_id": "c1", "exec_ref_id": "x1", "last_qty": Decimal(4), "last_px": Decimal(90)}
    apply(desk, make_report(order, ExecType.TRADE_CORRECT, **corrects))
    assert (position_of(desk).qty, position_of(desk).cost) == (10, 4 * 90 + 6 * 110)
    apply(desk, make_report(order, ExecType.TRADE_CANCEL, exec_id="b1", exec_ref_id="x2"))
    assert (position_of(desk).qty, position_of(desk).cost) == (4, 360)
    assert_as_from_scratch(desk)
    apply(desk, make_report(order, ExecType.TRADE_CANCEL, exec_id="b2", exec_ref_id="c1"))
    assert (position_of(desk).qty, position_of(desk).cash) == (0, 0)
    (trade,) = trades_of(desk)
    assert (trade.status, trade.entry_qty, trade.opened_at) == (Status.CANCELED, 0, None)


def test_late_fills_leave_the_same_books_as_punctual_ones() -> None:
    """Every order in which five fills of four orders can come, some through zero: the same position and trips."""
    seen = set()
    for arrival in itertools.permutations(range(5)):
        if random.Random(str(arrival)).random() > 0.25:
            continue  # thirty of the hundred and twenty
        desk = make_desk()
        a, b, c = entry(desk), entry(desk, "7", "sell"), entry(desk, "9", "sell")
        fills = [
            fill(a, "4", "100", 1),
            fill(b, "7", "104", 2),
            fill(a, "6", "99", 3),
            fill(c, "4", "98.5", 4),
            fill(c, "5", "97", 5),
        ]
        apply(desk, *(fills[index] for index in arrival))
        assert_as_from_scratch(desk)
        position = position_of(desk)
        trips = [trade for trade in trades_of(desk) if trade.opened_at is not None]
        journal = sorted((one.opened_at, one.side, one.entry_amount, one.realized_pnl) for one in trips)
        seen.add((position.qty, position.cost, position.realized_pnl, position.cash, *journal))
    assert len(seen) == 1


def test_commissions_are_kept_apart_from_the_price(desk: Desk) -> None:
    order = entry(desk)
    apply(desk, fill(order, "10", "100", 1, commission=Decimal("1.25")))
    position = position_of(desk)
    assert (position.fees, position.cash, position.cost) == (Decimal("1.25"), Decimal("-1001.25"), 1000)


def test_everything_can_be_made_anew_from_the_executions(desk: Desk) -> None:
    order = entry(desk)
    apply(desk, fill(order, "10", "100", 1))
    way_out = record_one(desk, action="sell", order_type="exit", quantity="4")
    apply(desk, fill(way_out, "4", "120", 2))
    right = Position.objects.values_list("qty", "cost", "realized_pnl", "cash").get(account=desk.account)
    (trade,) = trades_of(desk)
    Position.objects.filter(account=desk.account).update(qty=77, cost=1, realized_pnl=5, cash=3)
    Trade.objects.filter(pk=trade.pk).update(entry_qty=1, exit_amount=9)
    assert len(position_differences()) == 2, "the position, and its journal"
    with pytest.raises(SystemExit):
        call_command("rebuild_check")
    call_command("rebuild_positions")
    assert position_differences() == []
    assert (
        Position.objects.values_list("qty", "cost", "realized_pnl", "cash").get(account=desk.account) == right
    )
    assert [one.pk for one in trades_of(desk)] == [trade.pk]
    assert_as_from_scratch(desk)


@pytest.mark.django_db(transaction=True)
def test_stream_and_main_loop_hammer_one_position_and_neither_loses(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    orders = [entry(desk, "40", action) for action in ("buy", "sell", "buy", "sell")]
    reports = [fill(order, "1", str(90 + number % 17), number * 4 + index)
               for index, order in enumerate(orders) for number in range(20)]  # fmt: skip
    shuffled = random.Random(4).sample(reports, len(reports))
    failures: list[BaseException] = []

    def bring(mine: list[ExecutionReport]) -> None:
        try:
            apply(desk, *mine)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    # Every report is brought by two of the three.
    threads = [
        threading.Thread(target=bring, args=(shuffled[at::3] + shuffled[(at + 1) % 3 :: 3],))
        for at in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not failures
    assert "runs again" not in caplog.text, "they wait for each other, and never in a circle"
    assert Execution.objects.filter(account=desk.account).count() == len(reports)
    assert_as_from_scratch(desk)
