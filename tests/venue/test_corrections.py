"""Busts and corrections of fills: order, position, cash, stream and activities follow."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.venue.process import TOKEN, Trader, VenueProcess, eventually
from venue.audit import differences
from venue.engine.history import History


@pytest.fixture(autouse=True)
def ledger_explains_everything(venue: VenueProcess, trader: Trader) -> Iterator[None]:
    """Every test here ends with books that add up."""
    yield
    assert differences(venue.database_url) == []


def last_fill(trader: Trader) -> str:
    activity_id: str = trader.get("/v2/account/activities/FILL", page_size=1)[0]["id"]
    return activity_id.partition("::")[2]


def amend(trader: Trader, execution_id: str, what: str, **body: Any) -> dict[str, Any]:
    path = f"/control/fills/{execution_id}/{what}"
    told: dict[str, Any] = trader.venue.control("POST", path, {"account_id": trader.account_id, **body})
    return told


def refused(trader: Trader, execution_id: str, what: str, **body: Any) -> int:
    path = f"{trader.venue.url}/control/fills/{execution_id}/{what}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = trader._session.post(
        path, json={"account_id": trader.account_id, **body}, headers=headers, timeout=10
    )
    return answer.status_code


def test_bust_takes_back_position_and_cash(trader: Trader) -> None:
    with trader.stream() as events:
        order = trader.filled("buy", "10")
        events.take(3)
        execution_id = last_fill(trader)
        told = amend(trader, execution_id, "bust")
        bust, canceled = events.take(2)
    assert bust == told
    assert (bust["event"], bust["previous_execution_id"], bust["reason"]) == (
        "trade_bust",
        execution_id,
        "TRADE_BUST",
    )
    assert (bust["qty"], bust["price"], bust["position_qty"]) == ("10", "100.02", "0")
    assert (bust["order"]["status"], bust["order"]["filled_qty"]) == ("new", "0")
    assert (canceled["event"], canceled["order"]["id"]) == ("canceled", order["id"])
    assert trader.get("/v2/positions") == []
    assert trader.get("/v2/account")["cash"] == "100000"
    bust_row, fill_row = trader.get("/v2/account/activities/FILL")
    assert (bust_row["type"], bust_row["previous_execution_id"]) == ("trade_bust", execution_id)
    assert fill_row["type"] == "fill"


def test_reinstated_order_is_executed_again(venue: VenueProcess, trader: Trader) -> None:
    order = trader.filled("buy", "10")
    venue.price("AAPL", "101")
    amend(trader, last_fill(trader), "bust", reinstate=True)
    eventually(lambda: trader.get(f"/v2/orders/{order['id']}")["filled_avg_price"] == "101")
    assert trader.get("/v2/positions/AAPL")["qty"] == "10"


def test_correction_of_the_price_of_an_entry_that_was_closed(trader: Trader) -> None:
    entry = trader.filled("buy", "10")
    execution_id = last_fill(trader)
    trader.filled("sell", "4")
    with trader.stream() as events:
        amend(trader, execution_id, "correct", price="99")
        (correction,) = events.take(1)
    assert correction["event"] == "trade_correct"
    assert (correction["previous_execution_id"], correction["price"], correction["qty"]) == (
        execution_id,
        "99",
        "10",
    )
    assert correction["order"]["status"] == "filled"
    position = trader.get("/v2/positions/AAPL")
    assert (position["qty"], position["avg_entry_price"]) == ("6", "99")
    assert trader.get("/v2/account")["cash"] == "99410"
    assert trader.get(f"/v2/orders/{entry['id']}")["filled_avg_price"] == "99"


def test_correction_of_a_correction(trader: Trader) -> None:
    trader.filled("buy", "10")
    first = last_fill(trader)
    second = amend(trader, first, "correct", qty="8")["execution_id"]
    assert trader.get("/v2/positions/AAPL")["qty"] == "8"
    assert refused(trader, first, "bust") == 404
    amend(trader, second, "bust")
    assert trader.get("/v2/positions") == []
    assert trader.get("/v2/account")["cash"] == "100000"


def test_correction_of_an_open_order_leaves_it_open(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("fill_plan", trader, count=1, fills=[{"qty": "4"}], then="rest")
    order = trader.order("buy", "10")
    trader.settled(order["id"], "partially_filled")
    amend(trader, last_fill(trader), "correct", qty="3")
    now = trader.get(f"/v2/orders/{order['id']}")
    assert (now["status"], now["filled_qty"]) == ("partially_filled", "3")
    trader.call("DELETE", f"/v2/orders/{order['id']}")


def test_refused_corrections(venue: VenueProcess, trader: Trader) -> None:
    trader.filled("buy", "10")
    execution_id = last_fill(trader)
    assert refused(trader, execution_id, "correct", qty="11") == 422
    assert refused(trader, execution_id, "correct") == 422
    assert refused(trader, str(uuid4()), "bust") == 404
    assert refused(venue.trader(), execution_id, "bust") == 404


def test_history_equals_the_trades_that_stand() -> None:
    """Random trades, busts and corrections; the oracle counts only what stands in the end."""
    dice = random.Random(11)
    for _ in range(200):
        history = History(UUID(int=1), "AAPL")
        standing: dict[UUID, Decimal] = {}
        for _ in range(dice.randint(1, 15)):
            side, qty = dice.choice(["buy", "sell"]), Decimal(dice.randint(1, 9))
            row = {"kind": "fill", "execution_id": uuid4(), "side": side, "qty": qty, "price": Decimal(10)}
            if standing and dice.random() < 0.4:
                previous = dice.choice(list(standing))
                trade = history.standing(previous)
                assert trade is not None
                kind = dice.choice(["trade_bust", "trade_correct"])
                row |= {"kind": kind, "side": trade.side, "data": {"previous_execution_id": str(previous)}}
                del standing[previous]
            history.apply(row)
            if row["kind"] != "trade_bust":
                standing[row["execution_id"]] = qty if row["side"] == "buy" else -qty
        position = history.position()
        assert position.qty == sum(standing.values())
        assert position.cost == position.qty * 10
