"""Exits through real processes: every action of the mapping table, what is in their way, and flattening."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.flows.floor import Floor
from tests.flows.helpers import Trader
from tests.flows.test_reversals import positions

SYMBOL = "PEP"


@pytest.fixture
def pit(floor: Floor) -> Floor:
    floor.set_price(SYMBOL, "170")
    return floor


def fill(floor: Floor, trader: Trader, **fields: object) -> None:
    answer = floor.send(trader, symbol=SYMBOL, **fields)
    floor.wait_filled(trader, answer.json()["id"])


@pytest.mark.parametrize(
    ("before", "fields", "after"),
    [
        (0, {"action": "buy"}, 2),
        (0, {"action": "sell"}, -2),
        (0, {"action": "long_entry"}, 2),
        (0, {"action": "short_entry"}, -2),
        (-3, {"action": "buy", "order_type": "exit"}, -1),
        (3, {"action": "sell", "order_type": "exit"}, 1),
        (3, {"action": "long_exit"}, 1),
        (-3, {"action": "short_exit"}, -1),
        (3, {"action": "close_long"}, 0),
        (-3, {"action": "close_short"}, 0),
        (3, {"action": "long_exit", "quantity": 8}, 0),
        (-3, {"action": "short_exit", "quantity": None}, 0),
    ],
)
def test_every_action_of_the_mapping_table(
    pit: Floor, before: int, fields: dict[str, object], after: int
) -> None:
    trader = pit.trader()
    if before:
        fill(pit, trader, action="buy" if before > 0 else "sell", quantity=abs(before))
    answer = pit.send(trader, **({"symbol": SYMBOL, "quantity": 2} | fields))
    assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED"), answer.text
    assert positions(pit, trader) == (after, after)


@pytest.mark.parametrize("action", ["long_exit", "short_exit", "close_long", "close_short"])
def test_an_exit_without_a_position_is_answered_plainly(pit: Floor, action: str) -> None:
    trader = pit.trader()
    answer = pit.send(trader, symbol=SYMBOL, action=action)
    assert answer.status_code == 200
    assert answer.json()["orders"] == []
    assert pit.orders(trader) == []


def test_the_other_sides_exit_leaves_a_position_alone(pit: Floor) -> None:
    trader = pit.trader()
    fill(pit, trader, quantity=3)
    assert pit.send(trader, symbol=SYMBOL, action="close_short").json()["orders"] == []
    assert positions(pit, trader) == (3, 3)


def test_an_exit_while_its_entry_rests_cancels_it(pit: Floor) -> None:
    trader = pit.trader()
    resting = pit.send(trader, symbol=SYMBOL, type="limit", price="100", quantity=3).json()
    pit.wait_status(resting["id"], "NEW")
    answer = pit.send(trader, symbol=SYMBOL, action="close_long")
    assert (answer.status_code, answer.json()["reason"]) == (200, "NOTHING_TO_CLOSE")
    assert pit.order(resting["id"])["ord_status"] == "CANCELED"
    assert positions(pit, trader) == (0, 0)


def test_an_exit_of_the_whole_takes_what_a_resting_entry_has_brought(pit: Floor) -> None:
    trader = pit.trader()
    pit.add_fault("fill_plan", trader, fills=[{"qty": 2}], then="rest")
    entry = pit.send(trader, symbol=SYMBOL, quantity=5).json()
    pit.wait_status(entry["id"], "PARTIALLY_FILLED")
    answer = pit.send(trader, symbol=SYMBOL, action="close_long")
    order = pit.wait_filled(trader, answer.json()["id"])
    assert order["order_qty"] == Decimal(2)
    assert pit.order(entry["id"])["ord_status"] == "CANCELED"
    assert positions(pit, trader) == (0, 0)


def test_exits_that_come_together_never_close_more_than_is_held(pit: Floor) -> None:
    trader = pit.trader()
    fill(pit, trader, quantity=10)
    pit.add_fault("delay_ms", trader, ms=300)
    answers = [pit.send(trader, symbol=SYMBOL, action="long_exit", quantity=4) for _ in range(4)]
    for answer in answers:
        assert answer.status_code == 200, answer.text
    assert positions(pit, trader) == (0, 0)
    sells = [Decimal(row["qty"]) for row in pit.ledger(trader, "accepted") if row["side"] == "sell"]
    assert sum(sells) == Decimal(10)


def test_an_exit_ends_the_protection_first(pit: Floor) -> None:
    trader = pit.trader()
    fill(pit, trader, quantity=4, stop_loss="150")
    answer = pit.send(trader, symbol=SYMBOL, action="close_long")
    pit.wait_filled(trader, answer.json()["id"])
    assert positions(pit, trader) == (0, 0)


def test_a_reversal_of_a_protected_position_ends_its_protection_first(pit: Floor) -> None:
    trader = pit.trader()
    fill(pit, trader, quantity=4, stop_loss="150")
    answer = pit.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
    pit.wait_filled(trader, answer.json()["id"])
    assert positions(pit, trader) == (-1, -1)


# --- flatten ---


def flatten(floor: Floor, trader: Trader, **body: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {trader.api_key}"}
    answer = floor.http.post("/api/v1/flatten", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    said: dict[str, object] = answer.json()
    return said


def test_flatten_cancels_and_closes_one_symbol_then_everything(pit: Floor) -> None:
    trader = pit.trader()
    fill(pit, trader, quantity=3)
    other = pit.send(trader, symbol="MSFT", action="sell", quantity=2)
    pit.wait_filled(trader, other.json()["id"])
    resting = pit.send(trader, symbol=SYMBOL, type="limit", price="100", quantity=5).json()
    pit.wait_status(resting["id"], "NEW")
    said = flatten(pit, trader, symbol=SYMBOL)
    assert said["canceled"] == 1
    assert positions(pit, trader) == (0, 0)
    assert pit.order(resting["id"])["ord_status"] == "CANCELED"
    [exit_] = flatten(pit, trader, everything=True)["exits"]  # type: ignore[misc]
    assert (exit_["symbol"], exit_["side"], exit_["ord_status"]) == ("MSFT", "BUY", "FILLED")
    assert flatten(pit, trader, everything=True) == {"exits": [], "canceled": 0}


def test_flatten_in_the_middle_of_a_reversal_ends_flat(pit: Floor) -> None:
    trader = pit.trader()
    fill(pit, trader, quantity=3)
    pit.add_fault("fill_plan", trader, fills=[{"qty": 1}, {"qty": 2, "delay_ms": 1500}], then="fill")
    entry = pit.send(trader, symbol=SYMBOL, action="short_entry", quantity=1, type="market")
    flatten(pit, trader, symbol=SYMBOL)
    assert pit.order(entry.json()["id"])["ord_status"] in ("DENIED", "FILLED")
    flatten(pit, trader, symbol=SYMBOL)
    assert positions(pit, trader) == (0, 0)
