"""Flatten: what would open is canceled, what is held is closed, also what is filled meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from brokers.types import OrdStatus
from orders.models import ExitReason, Order, Position, Source
from orders.services.flattening import Flattened, Scope, flatten
from tests.factories.alerts import record_one
from tests.factories.exchange import Pit, open_pit
from tests.factories.traders import make_desk

if TYPE_CHECKING:
    from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


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


def held(pit: Pit, symbol: str = "AAPL") -> Decimal:
    return Position.objects.get(account=pit.desk.account, symbol=symbol).qty


def flat(pit: Pit, **scope: object) -> Flattened:
    return flatten(Scope(user_id=pit.desk.user.id, **scope), source=Source.API)  # type: ignore[arg-type]


@pytest.mark.parametrize(("action", "side"), [("buy", "SELL"), ("sell", "BUY")])
def test_a_position_is_closed(pit: Pit, action: str, side: str) -> None:
    enter(pit, "10", action)
    (order,) = flat(pit).exits
    pit.work()
    assert pit.exchange.sides() == [(side, Decimal(10))]
    assert (stored(order).exit_reason, held(pit)) == (ExitReason.FLATTENED, Decimal(0))


def test_with_nothing_held_nothing_is_done(pit: Pit) -> None:
    assert flat(pit) == Flattened()
    assert not Order.objects.exists()


def test_entries_are_canceled_and_what_they_bring_meanwhile_is_closed(pit: Pit) -> None:
    enter(pit, "10")
    resting = enter(pit, "5", type="limit", price="90")
    unsent = record_one(pit.desk, quantity="7")
    pit.exchange.cancels = False
    done = flat(pit)
    assert done.canceled == 2
    assert (stored(unsent).ord_status, unsent.reason) == (OrdStatus.DENIED, "CANCELED_BEFORE_SENDING")
    assert unsent.id in done.settled
    pit.work()
    assert pit.exchange.sent == []
    pit.exchange.fill(resting, "2")
    pit.exchange.tell_canceled(resting)
    pit.work()
    assert pit.exchange.sides() == [("SELL", Decimal(12))]
    assert held(pit) == Decimal(0)


def test_an_entry_that_rests_alone_is_canceled_and_leaves_nothing_to_close(pit: Pit) -> None:
    enter(pit, "5", type="limit", price="90")
    (order,) = flat(pit).exits
    pit.work()
    pit.work()
    assert (stored(order).ord_status, order.reason) == (OrdStatus.DENIED, "NOTHING_TO_CLOSE")
    assert pit.exchange.sent == []


def test_an_exit_that_rests_makes_room(pit: Pit) -> None:
    enter(pit, "10")
    resting = enter(pit, "10", "sell", order_type="exit", type="limit", price="200")
    flat(pit)
    pit.work()
    pit.work()
    assert stored(resting).ord_status == OrdStatus.CANCELED
    assert pit.exchange.sides() == [("SELL", Decimal(10))]


def test_asking_again_adds_nothing(pit: Pit) -> None:
    enter(pit, "10")
    first = flat(pit)
    again = flat(pit)
    assert again.exits == first.exits
    assert again.canceled == 0


def test_a_reversal_under_way_ends_flat(pit: Pit) -> None:
    enter(pit, "3")
    pit.exchange.fills_at_once = False
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    pit.work()
    closing = Order.objects.get(parent=entry)
    (order,) = flat(pit).exits
    assert order == closing
    assert stored(entry).ord_status == OrdStatus.DENIED
    pit.exchange.fill(closing, "3")
    pit.work()
    assert held(pit) == Decimal(0)


def test_only_what_is_named_is_flattened(pit: Pit) -> None:
    enter(pit, "10")
    record_one(pit.desk, symbol="MSFT", quantity="4")
    pit.work()
    assert [order.symbol for order in flat(pit, symbol="MSFT").exits] == ["MSFT"]
    other = make_desk()
    assert flat(pit, account_id=other.account.id) == Flattened()
    assert flatten(Scope(user_id=other.user.id), source=Source.API) == Flattened()
    exits = flat(pit, account_id=pit.desk.account.id).exits
    assert sorted(order.symbol for order in exits) == ["AAPL", "MSFT"]
