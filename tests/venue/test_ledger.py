"""The ledger: complete, append-only, and enough to rebuild everything else from."""

from __future__ import annotations

import random

import psycopg
import pytest

from tests.venue.process import Trader, VenueProcess, eventually
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


def test_everything_can_be_rebuilt_from_the_ledger(venue: VenueProcess, trader: Trader) -> None:
    """A few hundred random requests, good and bad; then cash, positions and orders are added up anew."""
    dice = random.Random(20260101)
    traders = [trader, venue.trader(shorting=False), venue.trader(cash=5_000)]
    for _ in range(250):
        who, symbol = dice.choice(traders), dice.choice(["AAPL", "MSFT"])
        action = dice.random()
        if action < 0.15:
            cents = dice.randint(8_000, 12_000)
            venue.price(symbol, f"{cents / 100:.2f}", f"{(cents + 3) / 100:.2f}")
        elif action < 0.25:
            who.call("DELETE", "/v2/orders" if dice.random() < 0.5 else f"/v2/positions/{symbol}")
        elif action < 0.35:
            for order in who.get("/v2/orders", limit=1):
                who.call("PATCH", f"/v2/orders/{order['id']}", {"qty": str(dice.randint(1, 9))})
        else:
            terms = dice.choice([{}, {"type": "limit", "limit_price": f"{dice.randint(85, 115)}"}])
            qty = dice.choice(["1", "3", "2.5", "0.333333333"])
            who.submit(dice.choice(["buy", "sell"]), qty, symbol=symbol, **terms)
    for who in traders:
        who.call("DELETE", "/v2/orders")
        eventually(lambda who=who: who.get("/v2/orders") == [])
    kinds = {row["kind"] for who in traders for row in venue.ledger(who)}
    assert {"accepted", "refused", "new", "fill", "canceled", "replaced"} <= kinds
    assert differences(venue.database_url) == []


def test_audit_sees_a_change_without_a_row(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "1")
    with psycopg.connect(venue.database_url, autocommit=True) as connection:
        connection.execute("UPDATE account SET cash = cash + 1 WHERE id = %s", (trader.account_id,))
        found = differences(venue.database_url)
        connection.execute("UPDATE account SET cash = cash - 1 WHERE id = %s", (trader.account_id,))
    assert len(found) == 1 and trader.account_id in found[0]
