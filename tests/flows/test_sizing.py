"""Sizing through real processes: the venue gets what a strategy's rule makes of its price and equity."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.flows.floor import Floor
from tests.flows.helpers import Trader, wait_until

pytestmark = pytest.mark.flow

RULE = "UPDATE orders_strategy SET sizing_method = %s, sizing_value = %s WHERE user_id = %s RETURNING id"


def sized_trader(floor: Floor, method: str, value: str) -> Trader:
    trader = floor.trader("--cash", "100000")
    assert floor.desk_rows(RULE, method, Decimal(value), trader.user_id)
    return trader


def quantity_at_venue(floor: Floor, trader: Trader) -> Decimal:
    """Return the quantity of the trader's only order, by the venue's ledger."""
    [row] = floor.ledger(trader, "accepted")
    return Decimal(row["qty"])


def bought(floor: Floor, trader: Trader, **fields: Any) -> dict[str, Any]:
    answer = floor.send(trader, quantity=None, **fields)
    assert answer.status_code in (200, 202), answer.text
    return floor.wait_filled(trader, answer.json()["id"])


def test_a_fresh_desk_reads_what_there_is_to_trade_once(floor: Floor) -> None:
    floor.warm_up(floor.trader())
    counts = "count(*) AS many, count(DISTINCT refreshed_at) AS times"
    query = f"SELECT {counts} FROM brokers_instrument WHERE broker = 'paper'"
    [row] = wait_until(
        "the instruments are read", lambda: [r for r in floor.desk_rows(query) if r["many"]], seconds=90
    )
    assert (row["many"] > 50, row["times"]) == (True, 1)
    errands = "SELECT count(*) AS open FROM orders_errand WHERE kind = 'INSTRUMENTS'"
    wait_until("the errand is struck off", lambda: floor.desk_rows(errands)[0]["open"] == 0)


@pytest.mark.parametrize(
    ("method", "value", "fields", "quantity"),
    [
        ("CASH", "1000", {}, "12.5"),
        ("PERCENT_OF_EQUITY", "2", {}, "25"),
        ("CASH", "1000", {"type": "limit", "price": "160"}, "6.25"),
        ("RISK_AMOUNT", "90", {"stop_loss": "77"}, "30"),
        ("RISK_PERCENT", "0.5", {"stop_loss": {"percent": "5"}}, "125"),
    ],
)
def test_the_venue_gets_what_the_rule_makes_of_price_and_equity(
    floor: Floor, method: str, value: str, fields: dict[str, Any], quantity: str
) -> None:
    floor.set_price("TLT", "80")
    trader = sized_trader(floor, method, value)
    order = bought(floor, trader, symbol="TLT", **fields)
    assert order["order_qty"] == order["cum_qty"] == quantity_at_venue(floor, trader) == Decimal(quantity)
    assert Decimal(order["sizing"]["used"]["price"]) == Decimal(str(fields.get("price", "80")))
    kinds = [event["kind"] for event in floor.events(order["id"])]
    assert kinds.index("Recorded") < kinds.index("Resized") < kinds.index("Submitted")


def test_too_little_money_for_one_step_is_denied_and_nothing_reaches_the_venue(floor: Floor) -> None:
    floor.set_price("TLT", "80")
    trader = sized_trader(floor, "CASH", "0.5")
    answer = floor.send(trader, quantity=None, symbol="TLT")
    assert answer.status_code in (200, 202), answer.text
    order = floor.wait_status(answer.json()["id"], "DENIED")
    assert order["reason"] == "BELOW_MINIMUM"
    assert order["text"] == "Not sized: an amount of 0.5 is below the minimum of 1."
    assert floor.ledger(trader, "accepted") == []


def test_an_order_that_was_sized_may_lose_its_answer_and_is_still_one(floor: Floor) -> None:
    floor.set_price("TLT", "80")
    trader = sized_trader(floor, "CASH", "800")
    floor.add_fault("drop_response_after_accepting", trader)
    order = bought(floor, trader, symbol="TLT")
    assert (order["order_qty"], quantity_at_venue(floor, trader)) == (10, 10)


def test_a_price_goes_to_the_tick_before_the_broker_would_refuse_it(floor: Floor) -> None:
    wait_until(
        "the instruments are read",
        lambda: floor.desk_rows("SELECT 1 FROM brokers_instrument WHERE symbol = 'TLT'"),
        seconds=90,
    )
    floor.set_price("TLT", "80")
    trader = floor.trader()

    def rounded() -> bool:
        """Say whether the web process has learned of the tick: it keeps what it did not know for a minute."""
        answer = floor.send(trader, symbol="TLT", type="limit", price="80.019")
        assert answer.status_code in (200, 202), answer.text
        row = floor.order(answer.json()["id"])
        time.sleep(1)
        return bool(row["price"] == Decimal("80.01"))

    wait_until("prices are rounded", rounded, seconds=75)
