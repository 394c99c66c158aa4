"""What happens behind a trader's back: outside orders and closings, halts, flags of assets, splits, sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.venue.process import Trader, VenueProcess, eventually
from venue.audit import differences
from venue.hours import AlwaysOpen, PlannedHours

OCO = {
    "order_class": "oco",
    "type": "limit",
    "take_profit": {"limit_price": "110"},
    "stop_loss": {"stop_price": "95"},
}


@pytest.fixture(autouse=True)
def ledger_explains_everything(venue: VenueProcess, trader: Trader) -> Iterator[None]:
    """Every test here ends with a symbol that trades and books that add up."""
    yield
    venue.control("POST", "/control/halts", {"symbol": "AAPL", "halted": False})
    flags = {"symbol": "AAPL", "tradable": True, "shortable": True, "fractionable": True}
    venue.control("POST", "/control/assets", flags)
    assert differences(venue.database_url) == []


def test_position_is_closed_outside_although_its_exits_hold_it(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    exits = trader.order("sell", "10", **OCO)
    trader.settled(exits["id"], "new")
    with trader.stream() as events:
        body = {"account_id": trader.account_id, "symbol": "AAPL"}
        closing = venue.control("POST", "/control/positions/close", body)
        heard = events.take(3)
    assert (closing["source"], closing["side"], closing["qty"]) == ("outside", "sell", "10")
    assert {event["order"]["id"] for event in heard} == {closing["id"]}
    assert trader.get("/v2/positions") == []
    assert trader.get(f"/v2/orders/{exits['id']}")["status"] == "new"


def test_part_of_a_position_is_closed_outside(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("sell", "10")
    body = {"account_id": trader.account_id, "symbol": "AAPL", "qty": "4"}
    closing = venue.control("POST", "/control/positions/close", body)
    trader.settled(closing["id"])
    assert trader.get("/v2/positions/AAPL")["qty"] == "-6"


def test_outside_order_rests_like_any_other(venue: VenueProcess, trader: Trader) -> None:
    terms = {"symbol": "AAPL", "side": "buy", "qty": "5", "type": "limit", "limit_price": "90"}
    body = {"account_id": trader.account_id, "time_in_force": "gtc", **terms}
    order = venue.control("POST", "/control/orders", body)
    trader.settled(order["id"], "new")
    assert trader.get("/v2/orders")[0]["source"] == "outside"
    accepted = next(row for row in venue.ledger(trader) if row["kind"] == "accepted")
    assert accepted["data"]["source"] == "outside"
    assert trader.call("DELETE", f"/v2/orders/{order['id']}").status_code == 204


def test_halted_symbol_accepts_and_waits(venue: VenueProcess, trader: Trader) -> None:
    venue.control("POST", "/control/halts", {"symbol": "AAPL", "halted": True})
    market = trader.order("buy", "1")
    limit = trader.order("buy", "1", type="limit", limit_price="99")
    for order in (market, limit):
        trader.settled(order["id"], "new")
    venue.price("AAPL", "98")
    time.sleep(0.1)
    assert {order["status"] for order in trader.get("/v2/orders")} == {"new"}
    canceled = trader.order("buy", "1")
    assert trader.call("DELETE", f"/v2/orders/{canceled['id']}").status_code == 204
    venue.control("POST", "/control/halts", {"symbol": "AAPL", "halted": False})
    for order in (market, limit):
        assert trader.settled(order["id"])["filled_avg_price"] == "98"


@pytest.mark.parametrize(
    ("flag", "terms", "status", "words"),
    [
        ("tradable", {"side": "buy"}, 422, "asset AAPL is not tradable"),
        ("shortable", {"side": "sell"}, 422, "asset AAPL cannot be sold short"),
        ("fractionable", {"side": "buy", "qty": "1.5"}, 403, 'asset "AAPL" is not fractionable'),
    ],
)
def test_flags_of_an_asset(
    venue: VenueProcess, trader: Trader, flag: str, terms: dict[str, Any], status: int, words: str
) -> None:
    assert venue.control("POST", "/control/assets", {"symbol": "AAPL", flag: False})[flag] is False
    assert trader.get("/v2/assets/AAPL")[flag] is False
    answer = trader.submit(**terms)
    assert (answer.status_code, answer.json()["message"]) == (status, words)


def test_split_counts_positions_anew_and_ends_simple_orders(venue: VenueProcess, trader: Trader) -> None:
    short = venue.trader()
    short.filled("sell", "5")
    trader.filled("buy", "20")
    # A stop that is not adjusted is elected by the new price, unless it lies below that too.
    exits = trader.order("sell", "10", **{**OCO, "stop_loss": {"stop_price": "45"}})
    resting = trader.order("sell", "10", type="limit", limit_price="150")
    for order in (exits, resting):
        trader.settled(order["id"], "new")
    with trader.stream() as events:
        venue.control("POST", "/control/splits", {"symbol": "AAPL", "old": 1, "new": 2})
        (canceled,) = events.take(1)
    assert (canceled["event"], canceled["reason"]) == ("canceled", "CORPORATE_ACTION")
    assert canceled["order"]["id"] == resting["id"]
    assert trader.get(f"/v2/orders/{exits['id']}")["status"] == "new"
    position = trader.get("/v2/positions/AAPL")
    assert (position["qty"], position["avg_entry_price"], position["current_price"]) == (
        "40",
        "50.01",
        "50.005",
    )
    assert short.get("/v2/positions/AAPL")["qty"] == "-10"
    (split,) = trader.get("/v2/account/activities/SPLIT")
    assert (split["qty"], split["description"], split["net_amount"]) == ("20", "2 for 1", "0")
    trader.call("DELETE", "/v2/orders")


def test_reverse_split_keeps_fractions(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    venue.control("POST", "/control/splits", {"symbol": "AAPL", "old": 3, "new": 1})
    position = trader.get("/v2/positions/AAPL")
    assert (position["qty"], position["cost_basis"]) == ("3.333333333", "1000.2")
    assert trader.filled("sell", "3.333333333")["filled_avg_price"] == "300"
    assert trader.get("/v2/positions") == []


def test_bust_of_a_fill_from_before_a_split(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    trader.filled("buy", "4")
    fill = trader.get("/v2/account/activities/FILL", page_size=1)[0]["id"].partition("::")[2]
    venue.control("POST", "/control/splits", {"symbol": "AAPL", "old": 1, "new": 2})
    venue.control("POST", f"/control/fills/{fill}/bust", {"account_id": trader.account_id})
    assert trader.get("/v2/positions/AAPL")["qty"] == "20"


def test_shares_are_booked_in_and_out_without_an_order(venue: VenueProcess, trader: Trader) -> None:
    body = {"account_id": trader.account_id, "symbol": "AAPL", "price": "90"}
    cash = float(trader.get("/v2/account")["cash"])
    venue.control("POST", "/control/positions/journal", body | {"side": "buy", "qty": "3"})
    assert trader.get("/v2/positions/AAPL")["qty"] == "3"
    assert (
        venue.control("POST", "/control/positions/journal", body | {"side": "sell", "qty": "2"})["qty"] == "1"
    )
    assert float(trader.get("/v2/account")["cash"]) == cash - 90
    listed = trader.get("/v2/account/activities/JNLS")
    assert [(one["qty"], one["net_amount"]) for one in listed] == [("-2", "180"), ("3", "-270")]
    assert trader.get("/v2/account/activities/FILL") == []
    assert trader.get("/v2/orders", status="all") == []


def test_session_that_ends_by_itself(venue: VenueProcess, trader: Trader) -> None:
    closes = datetime.now(UTC) + timedelta(seconds=1.5)
    opens = closes + timedelta(hours=15)
    times = {"next_close": closes.isoformat(), "next_open": opens.isoformat()}
    venue.control("POST", "/control/market", {"session": "open", **times})
    clock = trader.get("/v2/clock")
    assert clock["is_open"] is True
    assert datetime.fromisoformat(clock["next_close"]) == closes
    order = trader.order("buy", "1", type="limit", limit_price="90")
    eventually(lambda: trader.get("/v2/clock")["is_open"] is False, 5)
    assert datetime.fromisoformat(trader.get("/v2/clock")["next_open"]) == opens
    trader.settled(order["id"], "expired")


def test_planned_hours_turn_at_their_times() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    hours = PlannedHours(AlwaysOpen(), starts_open=False, opens_at=noon, closes_at=noon + timedelta(hours=6))
    turns = {-1: False, 0: True, 5: True, 6: False, 7: False}
    assert {n: hours.is_open(noon + timedelta(hours=n)) for n in turns} == turns
    assert hours.next_open(noon - timedelta(hours=1)) == noon
    assert hours.next_open(noon) == AlwaysOpen().next_open(noon)
