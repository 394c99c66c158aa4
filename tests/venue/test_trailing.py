"""Trailing stops: what is accepted, how the mark moves, when the stop is elected."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.venue.process import Trader, VenueProcess, eventually
from venue.engine.trailing import stop_from


def trailing(trader: Trader, side: str = "sell", **terms: Any) -> dict[str, Any]:
    """Hold 10 AAPL the other way round, and let a trailing stop over them rest."""
    trader.filled("buy" if side == "sell" else "sell", "10")
    order = trader.order(side, "10", type="trailing_stop", **(terms or {"trail_price": "2"}))
    return trader.settled(order["id"], "new")


def marks(trader: Trader, order: dict[str, Any]) -> tuple[str, str]:
    now = trader.get(f"/v2/orders/{order['id']}")
    return now["hwm"], now["stop_price"]


@pytest.mark.parametrize(
    ("side", "price", "percent", "stop"),
    [
        ("sell", "2", None, "98"),
        ("buy", "2", None, "102"),
        ("sell", None, "1.5", "98.5"),
        ("buy", None, "0.333", "100.333"),
    ],
)
def test_stop_hangs_on_the_mark(side: str, price: str | None, percent: str | None, stop: str) -> None:
    trail = [Decimal(text) if text else None for text in (price, percent)]
    assert stop_from(side, Decimal(100), *trail) == Decimal(stop)


def test_sell_follows_upwards_only_and_fills_at_the_market(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100")
    order = trailing(trader)
    assert (order["trail_price"], order["trail_percent"], order["limit_price"]) == ("2", None, None)
    assert marks(trader, order) == ("100", "98")
    venue.price("AAPL", "105")
    eventually(lambda: marks(trader, order) == ("105", "103"))
    venue.price("AAPL", "103.50")
    assert marks(trader, order) == ("105", "103")
    venue.price("AAPL", "102.90")
    assert trader.settled(order["id"])["filled_avg_price"] == "102.9"
    elected = next(row for row in venue.ledger(trader) if row["kind"] == "triggered")
    assert (elected["data"]["hwm"], elected["data"]["stop_price"]) == ("105", "103")


def test_buy_follows_downwards_by_percent(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100")
    order = trailing(trader, "buy", trail_percent="10")
    venue.price("AAPL", "90")
    eventually(lambda: marks(trader, order) == ("90", "99"))
    venue.price("AAPL", "99")
    assert trader.settled(order["id"])["filled_avg_price"] == "99"


def test_a_peak_counts_however_short(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100")
    order = trailing(trader)
    venue.price("AAPL", "110")
    venue.price("AAPL", "107.99")
    assert trader.settled(order["id"])["filled_avg_price"] == "107.99"


def test_replacing_the_trail_keeps_the_mark(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100")
    old = trailing(trader)
    venue.price("AAPL", "105")
    new = trader.call("PATCH", f"/v2/orders/{old['id']}", {"trail": "4"}).json()
    assert (new["replaces"], new["trail_price"]) == (old["id"], "4")
    assert marks(trader, trader.settled(new["id"], "new")) == ("105", "101")
    assert trader.call("PATCH", f"/v2/orders/{new['id']}", {"stop_price": "100"}).status_code == 422


def test_marks_outlive_the_session_and_do_not_move_when_it_is_closed(
    venue: VenueProcess, trader: Trader
) -> None:
    venue.price("AAPL", "100")
    order = trailing(trader, time_in_force="gtc", trail_price="2")
    venue.control("POST", "/control/market", {"session": "closed"})
    trader.settled(order["id"], "done_for_day")
    venue.price("AAPL", "110")
    assert marks(trader, order) == ("100", "98")
    venue.price("AAPL", "99")
    venue.control("POST", "/control/market", {"session": "open"})
    trader.settled(order["id"], "new")
    venue.price("AAPL", "98")
    trader.settled(order["id"])


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "must specify one of trail_price or trail_percent"),
        ({"trail_price": "1", "trail_percent": "1"}, "must specify one of trail_price or trail_percent"),
        ({"trail_price": "0"}, "trail_price must be > 0"),
        ({"trail_price": "1", "stop_price": "99"}, "require no stop_price"),
        ({"trail_price": "1", "time_in_force": "ioc"}, "invalid time_in_force"),
        ({"type": "market", "trail_price": "1"}, "require no trail_price"),
        ({"trail_price": "1", "order_class": "oco"}, "oco orders require take_profit.limit_price"),
    ],
)
def test_refusals(trader: Trader, terms: dict[str, Any], words: str) -> None:
    answer = trader.submit("buy", "1", **{"type": "trailing_stop", **terms})
    assert answer.status_code == 422
    assert words in answer.json()["message"]
