"""The ledger: complete, append-only, and enough to rebuild everything else from."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
import requests

from tests.venue.process import TOKEN, Trader, VenueProcess, eventually
from venue.audit import differences


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET qty = 1",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "TRUNCATE ledger, account, orders, position",
    ],
)
def test_ledger_refuses_change(venue: VenueProcess, trader: Trader, statement: str) -> None:
    trader.filled("buy", "1")
    before = venue.ledger(trader)
    with psycopg.connect(venue.database_url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(statement)
    assert venue.ledger(trader) == before


def test_rows_of_one_order(venue: VenueProcess, trader: Trader) -> None:
    order = trader.filled("buy", "10", client_order_id="my-order")
    rows = venue.ledger(trader)
    assert [row["kind"] for row in rows] == ["deposit", "accepted", "new", "fill"]
    assert rows[0]["cash_delta"] == "100000"
    assert {row["order_id"] for row in rows[1:]} == {order["id"]}
    assert {row["client_order_id"] for row in rows[1:]} == {"my-order"}
    assert (rows[3]["cash_delta"], rows[3]["data"]["position_qty"]) == ("-1000.2", "10")


def test_ledger_pages(venue: VenueProcess, trader: Trader) -> None:
    for _ in range(3):
        trader.filled("buy", "1")
    seen, after = [], 0
    while True:
        path = f"/admin/ledger?account_id={trader.account_id}&limit=4&after_seq={after}"
        page = venue.control("GET", path)
        if not page["rows"]:
            break
        seen += page["rows"]
        after = page["last_seq"]
    assert seen == venue.ledger(trader)
    assert len(seen) == 10


EXITS = {"take_profit": {"limit_price": "104"}, "stop_loss": {"stop_price": "96"}}
TERMS: list[dict[str, Any]] = [
    {},
    {"type": "limit", "limit_price": "99"},
    {"type": "trailing_stop", "trail_price": "2"},
    {"order_class": "bracket", "time_in_force": "gtc", **EXITS},
    {"order_class": "oto", "stop_loss": EXITS["stop_loss"]},
    {"order_class": "oco", "type": "limit", **EXITS},
]


def test_everything_can_be_rebuilt_from_the_ledger(venue: VenueProcess, trader: Trader) -> None:
    """A few hundred random requests, good and bad; then cash, positions and orders are added up anew."""
    dice = random.Random(20260101)
    traders = [trader, venue.trader(shorting=False), venue.trader(cash=5_000)]
    for _ in range(300):
        who, symbol = dice.choice(traders), dice.choice(["AAPL", "MSFT"])
        action = dice.random()
        if action < 0.2:
            cents = dice.randint(9_300, 10_700)
            venue.price(symbol, f"{cents / 100:.2f}", f"{(cents + 3) / 100:.2f}")
        elif action < 0.28:
            who.call("DELETE", "/v2/orders" if dice.random() < 0.5 else f"/v2/positions/{symbol}")
        elif action < 0.36:
            for order in who.get("/v2/orders", limit=1):
                who.call("PATCH", f"/v2/orders/{order['id']}", {"qty": str(dice.randint(1, 9))})
        elif action < 0.44:
            _happen_outside(venue, who, symbol, dice)
        else:
            qty = dice.choice(["1", "3", "2.5", "0.333333333"])
            who.submit(dice.choice(["buy", "sell"]), qty, symbol=symbol, **dice.choice(TERMS))
    for who in traders:
        who.call("DELETE", "/v2/orders")
        eventually(lambda who=who: who.get("/v2/orders") == [])
    kinds = {row["kind"] for who in traders for row in venue.ledger(who)}
    assert {"accepted", "refused", "new", "fill", "canceled", "replaced", "armed", "triggered"} <= kinds
    assert {"trade_bust", "trade_correct", "split"} <= kinds
    assert differences(venue.database_url) == []


def _happen_outside(venue: VenueProcess, who: Trader, symbol: str, dice: random.Random) -> None:
    """Bust or correct one of the last fills, split the symbol, or trade for the account."""
    fills = [row for row in who.get("/v2/account/activities/FILL", page_size=5) if "fill" in row["type"]]
    what = dice.choice(["bust", "correct", "split", "order"])
    if what == "split":
        venue.control("POST", "/control/splits", {"symbol": symbol, "old": dice.randint(1, 3), "new": 2})
    elif what == "order":
        terms = {"symbol": symbol, "side": "sell", "qty": "2", "type": "market", "time_in_force": "day"}
        venue.control("POST", "/control/orders", {"account_id": who.account_id, **terms})
    elif fills:
        execution_id = dice.choice(fills)["id"].partition("::")[2]
        change = {"price": "97.5"} if what == "correct" else {"reinstate": dice.random() < 0.5}
        answer = requests.post(
            f"{venue.url}/control/fills/{execution_id}/{what}",
            json={"account_id": who.account_id, **change},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        # It may have been taken back before, or its order replaced.
        assert answer.status_code in (200, 404, 422), answer.text


def test_audit_sees_a_change_without_a_row(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "1")
    with psycopg.connect(venue.database_url, autocommit=True) as connection:
        connection.execute("UPDATE account SET cash = cash + 1 WHERE id = %s", (trader.account_id,))
        found = differences(venue.database_url)
        connection.execute("UPDATE account SET cash = cash - 1 WHERE id = %s", (trader.account_id,))
    assert len(found) == 1 and trader.account_id in found[0]
