"""Positions, account figures and activities over HTTP, and the arithmetic below them."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from tests.venue.process import Trader, VenueProcess
from venue.engine.positions import apply_fill
from venue.models import Position


def dec(text: str) -> Decimal:
    return Decimal(text)


@pytest.mark.parametrize(
    ("held", "side", "qty", "price", "after", "cash"),
    [
        (("0", "0"), "buy", "10", "100.05", ("10", "1000.50"), "-1000.50"),
        (("10", "1000"), "buy", "5", "110", ("15", "1550"), "-550"),
        (("10", "1000"), "sell", "4", "120", ("6", "600"), "480"),
        (("10", "1000"), "sell", "10", "90", ("0", "0"), "900"),
        (("0", "0"), "sell", "3", "50", ("-3", "-150"), "150"),
        (("-3", "-150"), "buy", "1", "40", ("-2", "-100"), "-40"),
        (("10", "1000"), "sell", "15", "90", ("-5", "-450"), "1350"),
        (
            ("0.5", "50"),
            "buy",
            "0.123456789",
            "3.3333",
            ("0.623456789", "50.4115185147737"),
            "-0.4115185147737",
        ),
    ],
)
def test_apply_fill(
    held: tuple[str, str], side: str, qty: str, price: str, after: tuple[str, str], cash: str
) -> None:
    before = Position(uuid4(), "AAPL", dec(held[0]), dec(held[1]))
    position, delta = apply_fill(before, side, dec(qty), dec(price))
    assert (position.qty, position.cost, delta) == (dec(after[0]), dec(after[1]), dec(cash))


def test_position_is_valued_at_the_present_price(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    venue.price("AAPL", "110.00")
    position = trader.get("/v2/positions/AAPL")
    assert position["avg_entry_price"] == "100.02"
    assert (position["market_value"], position["cost_basis"]) == ("1100", "1000.2")
    assert (position["unrealized_pl"], position["current_price"]) == ("99.8", "110")
    account = trader.get("/v2/account")
    assert (account["equity"], account["cash"], account["long_market_value"]) == (
        "100099.8",
        "98999.8",
        "1100",
    )
    assert account["buying_power"] == "199099.6"


def test_short_sale_leaves_equity_and_uses_buying_power(venue: VenueProcess, trader: Trader) -> None:
    venue.price("AAPL", "100.00")
    trader.filled("sell", "10")
    account = trader.get("/v2/account")
    assert (account["equity"], account["cash"], account["short_market_value"]) == (
        "100000",
        "101000",
        "-1000",
    )
    assert account["buying_power"] == "199000"


def test_close_position_whole_and_in_part(trader: Trader) -> None:
    trader.filled("buy", "10")
    part = trader.call("DELETE", "/v2/positions/AAPL", percentage="25").json()
    assert trader.settled(part["id"])["filled_qty"] == "2.5"
    some = trader.call("DELETE", "/v2/positions/AAPL", qty="1.5").json()
    assert trader.settled(some["id"])["filled_qty"] == "1.5"
    rest = trader.call("DELETE", "/v2/positions/AAPL").json()
    assert trader.settled(rest["id"])["filled_qty"] == "6"
    gone = trader.call("DELETE", "/v2/positions/AAPL")
    assert (gone.status_code, gone.json()["code"]) == (404, 40410000)


def test_close_all_positions_frees_what_exits_hold(trader: Trader) -> None:
    trader.filled("buy", "10")
    trader.filled("sell", "5", symbol="MSFT")
    trader.order("sell", "10", type="limit", limit_price="500")
    refused = trader.call("DELETE", "/v2/positions").json()
    assert [(row["symbol"], row["status"]) for row in refused] == [("AAPL", 403), ("MSFT", 200)]
    trader.settled(refused[1]["body"]["id"])
    closed = trader.call("DELETE", "/v2/positions", cancel_orders="true")
    assert closed.status_code == 207
    trader.settled(closed.json()[0]["body"]["id"])
    assert trader.get("/v2/positions") == []


def test_activities_page_without_gaps_or_repeats(trader: Trader) -> None:
    orders = [trader.filled("buy", "1") for _ in range(5)]
    seen, token = [], None
    while True:
        params = {"page_size": 2, "direction": "asc", **({"page_token": token} if token else {})}
        page = trader.get("/v2/account/activities/FILL", **params)
        if not page:
            break
        seen += page
        token = page[-1]["id"]
    assert [row["order_id"] for row in seen] == [order["id"] for order in orders]
    stamp, execution_id = seen[0]["id"].split("::")
    assert len(stamp) == 17 and stamp.isdigit() and len(execution_id) == 36
    newest = trader.get("/v2/account/activities", page_size=1)
    assert newest[0]["id"] == seen[-1]["id"]
    assert (newest[0]["type"], newest[0]["cum_qty"], newest[0]["leaves_qty"]) == ("fill", "1", "0")
    later = trader.get("/v2/account/activities/FILL", after=seen[2]["transaction_time"], direction="asc")
    assert [row["id"] for row in later] == [row["id"] for row in seen[3:]]
    earlier = trader.get("/v2/account/activities/FILL", until=seen[2]["transaction_time"], direction="asc")
    assert [row["id"] for row in earlier] == [row["id"] for row in seen[:2]]
    assert trader.get("/v2/account/activities/DIV") == []
    assert trader.call("GET", "/v2/account/activities", page_token="x::y").status_code == 422
