"""Exits: recorded once, sized at their turn, never beyond the position; what is in their way ends first."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from brokers.errors import OrderRejected
from brokers.types import CancelOrder, OrdStatus, Side
from orders.models import Errand, ExitReason, Leg, Order, OrderEvent, OrderRequest, Position, Source
from orders.services.asking import Asked
from orders.services.exits import record_exit
from orders.services.flattening import Scope, flatten
from orders.services.requests import record_cancel
from tests.factories.alerts import record, record_one
from tests.factories.exchange import Pit, open_pit
from tests.factories.sending import hold

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def pit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Pit:
    return open_pit(desk, monkeypatch)


def enter(pit: Pit, quantity: str, action: str = "buy", **fields: str) -> Order:
    order = record_one(pit.desk, action=action, quantity=quantity, **fields)
    pit.work()
    pit.exchange.sent.clear()
    return stored(order)


def stored(order: Order) -> Order:
    order.refresh_from_db()
    return order


def held(pit: Pit) -> Decimal:
    return Position.objects.get(account=pit.desk.account, symbol="AAPL").qty


def flat(desk: Desk, *, side: Side = SELL, qty: str | None = None) -> Order | None:
    """Record an exit as a rule of the desk does."""
    return record_exit(
        desk.account,
        "AAPL",
        side=side,
        qty=None if qty is None else Decimal(qty),
        exit_reason=ExitReason.FLATTENED,
        source=Source.DESK,
    )


def cancel_by_hand(order: Order) -> None:
    asked = Asked(
        user_id=order.user_id, order_id=order.id, source=Source.DASHBOARD, received_at=timezone.now()
    )
    record_cancel(asked, statement_timeout_ms=5000)


def enter_protected(pit: Pit, quantity: str) -> Order:
    """Give the trader a position with a stop loss that rests at the broker; return the stop loss."""
    enter(pit, quantity, stop_loss="50")
    pit.work()
    leg = Order.objects.get(account=pit.desk.account, leg=Leg.STOP_LOSS)
    assert leg.ord_status == OrdStatus.NEW
    pit.exchange.sent.clear()
    return leg


# --- recording ---


def test_an_exit_of_the_desk_names_its_reason(desk: Desk) -> None:
    hold(desk, "10")
    order = flat(desk)
    assert order is not None
    assert (order.side, order.order_qty, order.closes_whole) == ("SELL", Decimal(10), True)
    assert (order.exit_reason, order.source) == (ExitReason.FLATTENED, Source.DESK)


def test_it_is_recorded_once_however_often_it_is_asked_for(desk: Desk) -> None:
    hold(desk, "10")
    first = flat(desk)
    assert first is not None
    assert flat(desk) == first
    assert flat(desk, qty="3") == first


@pytest.mark.parametrize(("position", "side"), [("0", SELL), ("10", BUY)])
def test_without_a_position_there_is_nothing_to_record(desk: Desk, position: str, side: Side) -> None:
    if position != "0":
        hold(desk, position)
    assert flat(desk, side=side) is None
    assert not Order.objects.filter(position_effect="CLOSE").exists()


def test_an_entry_on_its_way_is_worth_an_exit(desk: Desk) -> None:
    record_one(desk, quantity="4", type="limit", price="90")
    (order,) = record(desk, action="close_long")
    assert (order.order_qty, order.closes_whole) == (Decimal(4), True)
    (part,) = record(desk, action="long_exit", quantity="3")
    assert (part.order_qty, part.closes_whole) == (Decimal(3), False)
    assert record(desk, action="close_short") == []


@pytest.mark.django_db(transaction=True)
def test_two_at_once_record_one(desk: Desk) -> None:
    hold(desk, "10")
    found: list[Order | None] = []

    def ask() -> None:
        try:
            found.append(flat(desk))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 6
    assert len({order.id for order in found if order is not None}) == 1
    assert None not in found


# --- the turn ---


@pytest.mark.parametrize(
    ("position", "action", "quantity", "sent"),
    [
        ("10", "long_exit", "4", [("SELL", 4)]),
        ("10", "long_exit", "40", [("SELL", 10)]),
        ("10", "close_long", "1", [("SELL", 10)]),
        ("-10", "short_exit", "4", [("BUY", 4)]),
        ("-10", "close_short", "1", [("BUY", 10)]),
        ("10", "close_short", "1", []),
        ("-10", "long_exit", "1", []),
    ],
)
def test_an_exit_is_sent_for_what_there_is(
    pit: Pit, position: str, action: str, quantity: str, sent: list[tuple[str, int]]
) -> None:
    enter(pit, position.lstrip("-"), "sell" if position.startswith("-") else "buy")
    record(pit.desk, action=action, quantity=quantity)
    pit.work()
    assert pit.exchange.sides() == [(side, Decimal(qty)) for side, qty in sent]


def test_the_quantity_is_that_of_its_turn_and_history_says_so(pit: Pit) -> None:
    enter(pit, "10")
    order = record_one(pit.desk, action="close_long")
    Position.objects.update(qty=7, cost=700)
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(7))]
    assert stored(order).order_qty == Decimal(7)
    kinds = list(OrderEvent.objects.filter(order=order).order_by("id").values_list("kind", flat=True))
    assert kinds[:3] == ["Recorded", "Resized", "Submitted"]


def test_exits_together_never_exceed_the_position(pit: Pit) -> None:
    enter(pit, "10")
    pit.exchange.fills_at_once = False
    for quantity in ("7", "3"):
        record_one(pit.desk, action="long_exit", quantity=quantity)
    Position.objects.update(qty=8, cost=800)
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(7)), ("SELL", Decimal(1))]


def test_what_finds_nothing_left_is_denied_plainly(pit: Pit) -> None:
    enter(pit, "10")
    order = record_one(pit.desk, action="long_exit", quantity="4")
    Position.objects.update(qty=0, cost=0)
    pit.work()
    assert (stored(order).ord_status, order.reason) == (OrdStatus.DENIED, "NOTHING_TO_CLOSE")
    assert pit.exchange.sent == []


def test_an_exit_of_the_whole_cancels_the_entry_that_rests(pit: Pit) -> None:
    enter(pit, "10")
    resting = enter(pit, "5", type="limit", price="90")
    pit.exchange.fill(resting, "2")
    order = record_one(pit.desk, action="close_long")
    pit.work()
    pit.work()
    assert stored(resting).ord_status == OrdStatus.CANCELED
    assert pit.exchange.sides() == [("SELL", Decimal(12))]
    assert (stored(order).ord_status, held(pit)) == (OrdStatus.FILLED, Decimal(0))


def test_an_exit_of_the_whole_denies_the_entry_that_was_not_sent(pit: Pit) -> None:
    enter(pit, "10")
    waiting = record_one(pit.desk, quantity="5")
    record_one(pit.desk, action="close_long")
    pit.work()
    pit.work()
    assert (stored(waiting).ord_status, waiting.reason) == (OrdStatus.DENIED, "CANCELED_BEFORE_SENDING")
    assert pit.exchange.sides() == [("SELL", Decimal(10))]


def test_an_exit_while_its_entry_rests_ends_both(pit: Pit) -> None:
    resting = enter(pit, "5", type="limit", price="90")
    order = record_one(pit.desk, action="long_exit", quantity="5")
    pit.exchange.cancels = False
    pit.work()
    assert stored(order).ord_status == OrdStatus.INITIALIZED, "the entry may still be filled"
    pit.exchange.tell_canceled(resting)
    pit.session.work()
    assert (stored(order).ord_status, order.reason) == (OrdStatus.DENIED, "NOTHING_TO_CLOSE")


def test_an_entry_that_is_filled_despite_its_cancel_is_closed(pit: Pit) -> None:
    resting = enter(pit, "5", type="limit", price="90")
    order = record_one(pit.desk, action="close_long")
    pit.exchange.cancels = False
    pit.work()
    pit.exchange.fill(resting, "5")
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(5))]
    assert (stored(order).ord_status, held(pit)) == (OrdStatus.FILLED, Decimal(0))


def test_a_part_of_what_is_to_come_waits_for_it(pit: Pit) -> None:
    resting = enter(pit, "10", type="limit", price="90")
    order = record_one(pit.desk, action="long_exit", quantity="4")
    pit.work()
    assert (stored(resting).ord_status, stored(order).ord_status) == (OrdStatus.NEW, OrdStatus.INITIALIZED)
    pit.exchange.fill(resting, "10")
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(4))]


def test_a_part_of_what_rests_for_long_finds_nothing_to_close(pit: Pit, settings: SettingsWrapper) -> None:
    settings.REVERSAL_POLLS = 2
    resting = enter(pit, "10", type="limit", price="90")
    order = record_one(pit.desk, action="long_exit", quantity="4")
    for _ in range(2):
        pit.work()
        assert stored(order).ord_status == OrdStatus.INITIALIZED
    pit.work()
    assert (stored(order).ord_status, order.reason) == (OrdStatus.DENIED, "NOTHING_TO_CLOSE")
    pit.exchange.fill(resting, "10")
    pit.work()
    assert (pit.exchange.sides(), held(pit)) == ([], Decimal(10))


def test_an_entry_of_unknown_outcome_does_not_keep_what_is_held_from_being_closed(
    pit: Pit, settings: SettingsWrapper
) -> None:
    from brokers.errors import OutcomeUnknown

    enter(pit, "10")
    pit.exchange.refuses = OutcomeUnknown("timeout")
    record_one(pit.desk, quantity="5")
    pit.session.work()
    pit.exchange.refuses, settings.REVERSAL_POLLS = None, 2
    pit.exchange.sent.clear()
    record_one(pit.desk, action="close_long")
    for looks in range(2):
        pit.work()
        assert pit.exchange.sent == [], f"after {looks + 1} looks"
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(10))]


def test_protective_exits_end_before_an_exit_is_sent(pit: Pit) -> None:
    leg = enter_protected(pit, "10")
    pit.exchange.cancels = False
    order = record_one(pit.desk, action="close_long")
    pit.work()
    pit.work()
    assert [request.orig_cl_ord_id for request in pit.exchange.requested] == [leg.cl_ord_id]
    assert pit.exchange.sent == []
    pit.exchange.tell_canceled(leg)
    pit.session.work()
    assert pit.exchange.sides() == [("SELL", Decimal(10))]
    assert stored(order).ord_status == OrdStatus.FILLED


def test_a_protective_exit_that_fills_first_leaves_nothing_to_close(pit: Pit) -> None:
    leg = enter_protected(pit, "10")
    pit.exchange.cancels = False
    order = record_one(pit.desk, action="close_long")
    pit.work()
    pit.exchange.fill(leg, "10")
    pit.work()
    assert (stored(order).ord_status, order.reason) == (OrdStatus.DENIED, "NOTHING_TO_CLOSE")
    assert held(pit) == Decimal(0)


def test_the_desks_own_exit_cancels_an_exit_that_rests(pit: Pit) -> None:
    enter(pit, "10")
    resting = record_one(pit.desk, action="long_exit", quantity="10", type="limit", price="200")
    pit.work()
    pit.exchange.sent.clear()
    order = flat(pit.desk)
    assert order is not None
    pit.work()
    pit.work()
    assert stored(resting).ord_status == OrdStatus.CANCELED
    assert pit.exchange.sides() == [("SELL", Decimal(10))]


def test_exits_go_before_waiting_entries(pit: Pit) -> None:
    enter(pit, "10")
    record_one(pit.desk, quantity="5")
    record_one(pit.desk, action="long_exit", quantity="4")
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(4)), ("BUY", Decimal(5))]


@pytest.mark.parametrize("position", ["0", "10"])
def test_an_exit_of_the_whole_ends_an_entry_that_is_not_sized_yet(pit: Pit, position: str) -> None:
    if Decimal(position):
        enter(pit, position)
    strategy = pit.desk.strategy
    strategy.sizing_method, strategy.sizing_value = "PERCENT_OF_EQUITY", Decimal(5)
    entry = record_one(pit.desk, quantity=None)
    assert entry.order_qty == 0
    order = record_one(pit.desk, action="close_long")
    pit.work()
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "CANCELED_BEFORE_SENDING")
    assert stored(order).ended
    assert pit.exchange.sides() == ([("SELL", Decimal(10))] if Decimal(position) else [])


def test_a_way_back_that_the_broker_refuses_is_tried_again_ever_later(pit: Pit) -> None:
    leg = enter_protected(pit, "10")
    pit.exchange.refuses = OrderRejected("halted")
    pit.exchange.fill(leg, "15")  # more than was held
    for _ in range(3):
        pit.work()
    ways_back = Order.objects.filter(exit_reason=ExitReason.OVERFILLED)
    assert [order.ord_status for order in ways_back] == [OrdStatus.REJECTED]
    ways_back.update(transact_time=timezone.now() - dt.timedelta(seconds=2))
    Errand.objects.update(due_at=timezone.now())
    pit.exchange.refuses = None
    pit.work()
    assert (pit.exchange.sides()[-1], held(pit)) == (("BUY", Decimal(5)), Decimal(0))


@pytest.mark.parametrize("action", ["long_exit", "close_long"])
def test_flattening_closes_what_the_exit_that_it_cancels_would_have(pit: Pit, action: str) -> None:
    enter(pit, "10")
    pit.exchange.fills_at_once, pit.exchange.cancels = False, False
    under_way = record_one(pit.desk, action=action, quantity="10")
    pit.work()
    if action == "close_long":  # an exit of the whole would stay
        cancel_by_hand(under_way)
    flatten(Scope(user_id=pit.desk.user.id), source=Source.DASHBOARD)
    pit.work()
    assert len(pit.exchange.sent) == 1, "not two at once"
    pit.exchange.tell_canceled(under_way)
    pit.exchange.fills_at_once = True
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(10))] * 2
    assert held(pit) == 0


def test_an_exit_waits_for_one_that_is_being_canceled(pit: Pit) -> None:
    enter(pit, "10")
    resting = record_one(pit.desk, action="sell", order_type="exit", type="limit", price="200", quantity="10")
    pit.exchange.cancels = False
    pit.work()
    cancel_by_hand(resting)
    order = record_one(pit.desk, action="long_exit", quantity="10")
    pit.work()
    assert (stored(order).ord_status, order.reason) == (OrdStatus.INITIALIZED, "CLEARING_WAY")
    pit.exchange.tell_canceled(resting)
    pit.work()
    assert (stored(order).ord_status, held(pit)) == (OrdStatus.FILLED, Decimal(0))


def test_a_leg_whose_cancel_is_refused_is_asked_after_before_it_is_canceled_again(
    pit: Pit, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_protected(pit, "10")
    canceled: list[CancelOrder] = []

    def refuse(request: CancelOrder, *, before_send: object) -> None:
        canceled.append(request)
        assert len(canceled) < 20, "it is canceled without end"
        raise OrderRejected("it is filled already")

    monkeypatch.setattr(pit.exchange, "cancel_order", refuse)
    order = record_one(pit.desk, action="close_long")
    pit.work()
    assert len(canceled) == 1
    assert stored(order).ord_status == OrdStatus.INITIALIZED
    OrderRequest.objects.update(recorded_at=timezone.now() - dt.timedelta(seconds=2))
    pit.work()
    assert len(canceled) == 2
