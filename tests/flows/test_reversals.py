"""Reversals through real processes: the whole matrix, both sides; time-outs; a silent stream."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.flows.floor import Floor, Row, kill_process
from tests.flows.helpers import Trader

SYMBOL = "PEP"  # nobody else here moves its price


def entering(position: int) -> tuple[str, int]:
    return ("long_entry" if position > 0 else "short_entry"), abs(position)


def give(floor: Floor, trader: Trader, position: int) -> None:
    """Have the trader hold so much, by an alert like any other."""
    action, quantity = entering(position)
    answer = floor.send(trader, symbol=SYMBOL, action=action, quantity=quantity)
    floor.wait_filled(trader, answer.json()["id"])


def positions(floor: Floor, trader: Trader) -> tuple[Decimal, Decimal]:
    """Return what the desk and the venue say that the trader holds."""
    ours = floor.desk_rows(
        "SELECT qty FROM orders_position WHERE user_id = %s AND symbol = %s", trader.user_id, SYMBOL
    )
    fills = [row for row in floor.ledger(trader, "fill") if row["symbol"] == SYMBOL]
    theirs = sum((Decimal(row["qty"]) * (1 if row["side"] == "buy" else -1) for row in fills), Decimal(0))
    return (ours[0]["qty"] if ours else Decimal(0)), theirs


def closing_of(floor: Floor, entry_id: str) -> Row:
    return floor.desk_rows("SELECT * FROM orders_order WHERE parent_id = %s", entry_id)[0]


def sent(floor: Floor, trader: Trader) -> list[tuple[str, Decimal]]:
    """Return what the venue has accepted, in order."""
    rows = floor.ledger(trader, "accepted")
    return [(row["side"], Decimal(row["qty"])) for row in rows]


@pytest.fixture
def pit(floor: Floor) -> Floor:
    floor.set_price(SYMBOL, "170")
    return floor


@pytest.mark.parametrize(
    ("before", "action", "steps", "after"),
    [
        (0, "long_entry", [("buy", 1)], 1),
        (1, "long_entry", [("buy", 1)], 2),
        (-2, "long_entry", [("buy", 2), ("buy", 1)], 1),
        (0, "short_entry", [("sell", 1)], -1),
        (3, "short_entry", [("sell", 3), ("sell", 1)], -1),
        (-1, "short_entry", [("sell", 1)], -2),
        (-2, "buy", [("buy", 2), ("buy", 1)], 1),
        (3, "sell", [("sell", 3), ("sell", 1)], -1),
    ],
)
def test_the_reversal_matrix(
    pit: Floor, before: int, action: str, steps: list[tuple[str, int]], after: int
) -> None:
    trader = pit.trader()
    if before:
        give(pit, trader, before)
    already = len(sent(pit, trader))
    answer = pit.send(trader, symbol=SYMBOL, action=action, quantity=1)
    said = answer.json()
    assert answer.status_code == 200, answer.text
    assert said["ord_status"] == "FILLED"
    assert sent(pit, trader)[already:] == steps
    assert positions(pit, trader) == (after, after)
    if len(steps) == 1:
        assert (said["auto_exit"], said["exit_quantity"], said["exit_order"]) == (False, None, None)
        return
    closing = closing_of(pit, said["id"])
    assert (said["auto_exit"], said["exit_order"]) == (True, str(closing["id"]))
    assert (said["exit_quantity"], said["position_before"]) == (str(abs(before)), str(before))
    assert (closing["exit_reason"], closing["source"], closing["ord_status"]) == (
        "REVERSED",
        "desk",
        "FILLED",
    )
    trades = pit.desk_rows(
        "SELECT status, side, exit_reason FROM orders_trade WHERE user_id = %s ORDER BY id", trader.user_id
    )
    sides = ("LONG", "SHORT") if before > 0 else ("SHORT", "LONG")
    assert [tuple(row.values()) for row in trades] == [
        ("CLOSED", sides[0], "REVERSED"),
        ("POSITION", sides[1], ""),
    ]


def time_out(floor: Floor, trader: Trader, **plan: Any) -> Row:
    """Have the order that closes 3 long stay open; return the entry once it is denied."""
    give(floor, trader, 3)
    floor.add_fault(plan.pop("kind", "fill_plan"), trader, **plan)
    answer = floor.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
    assert answer.status_code == 202
    return floor.wait_status(answer.json()["id"], "DENIED", seconds=15)


@pytest.mark.parametrize("filled", [0, 2])
def test_a_time_out_cancels_counts_and_tells(pit: Floor, filled: int) -> None:
    trader = pit.trader()
    plan: Row = {"kind": "never_fill"}
    if filled:
        plan = {"kind": "fill_plan", "fills": [{"qty": filled}], "then": "rest"}
    entry = time_out(pit, trader, **plan)
    assert entry["reason"] == "REVERSAL_TIMED_OUT"
    assert f"{filled} of 3 were closed; {3 - filled} {SYMBOL} are still held" in entry["text"]
    closing = closing_of(pit, str(entry["id"]))
    assert (closing["ord_status"], closing["cum_qty"]) == ("CANCELED", Decimal(filled))
    assert positions(pit, trader) == (3 - filled, 3 - filled)
    [item] = pit.desk_rows("SELECT * FROM orders_attentionitem WHERE order_id = %s", entry["id"])
    assert item["kind"] == "REVERSAL_ABORTED"
    again = pit.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
    assert again.json()["ord_status"] == "FILLED"
    assert positions(pit, trader) == (-1, -1)


def test_a_closing_order_that_fills_in_parts_is_waited_for(pit: Floor) -> None:
    trader = pit.trader()
    give(pit, trader, 3)
    fills = [{"qty": 1}, {"qty": 1, "delay_ms": 700}, {"qty": 1, "delay_ms": 700}]
    pit.add_fault("fill_plan", trader, fills=fills, then="fill")
    answer = pit.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
    pit.wait_filled(trader, answer.json()["id"])
    assert positions(pit, trader) == (-1, -1)


def test_a_stream_that_is_silent_does_not_stop_a_reversal(pit: Floor) -> None:
    trader = pit.trader()
    give(pit, trader, 3)
    pit.add_fault("stream_silence", trader, count=None)
    answer = pit.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
    pit.wait_filled(trader, answer.json()["id"])
    assert positions(pit, trader) == (-1, -1)


def test_two_reversals_at_once_go_one_after_the_other(pit: Floor) -> None:
    trader = pit.trader()
    give(pit, trader, 3)
    ids = [
        pit.send(trader, symbol=SYMBOL, action=action, quantity=1).json()["id"]
        for action in ("short_entry", "long_entry")
    ]
    for order_id in ids:
        pit.wait_filled(trader, order_id)
    assert positions(pit, trader) == (1, 1)


def test_a_worker_killed_while_it_waits_for_the_fill_is_replaced(pit: Floor) -> None:
    trader = pit.trader()
    give(pit, trader, 3)
    fills = [{"qty": 1}, {"qty": 2, "delay_ms": 2500}]
    pit.add_fault("fill_plan", trader, fills=fills, then="fill")
    answer = pit.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
    kill_process(pit.worker_pid(trader))
    pit.wait_filled(trader, answer.json()["id"])
    assert positions(pit, trader) == (-1, -1)
    assert sent(pit, trader) == [("buy", 3), ("sell", 3), ("sell", 1)]
