"""Protective exits through real processes: placed with the first fill, followed, and one cancels the other."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.flows.armed import ArmedFloor
from tests.flows.floor import Row
from tests.flows.helpers import wait_until

BOTH = {"stop_loss": {"percent": "2"}, "take_profit": {"percent": "4"}}
SYMBOLS = iter(f"PROT{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.fixture
def floor(armed_running_floor: ArmedFloor, armed_books: None) -> Iterator[ArmedFloor]:
    yield armed_running_floor
    armed_running_floor.disarm()
    armed_running_floor.forget_hits()
    armed_running_floor.heal()


class Pitch:
    """One trader in one symbol, whose price this test alone moves."""

    def __init__(self, floor: ArmedFloor) -> None:
        self.floor, self.trader, self.symbol = floor, floor.trader(), next(SYMBOLS)
        self.price("100")

    def price(self, price: str) -> None:
        self.floor.set_price(self.symbol, price)

    def enter(self, quantity: str = "10", **fields: Any) -> str:
        answer = self.floor.send(self.trader, symbol=self.symbol, quantity=quantity, **fields)
        assert answer.status_code in (200, 202), answer.text
        order_id: str = answer.json()["id"]
        return order_id

    def legs(self, *, ended: bool = False) -> dict[str, Row]:
        """Return the protective exits that are open, or have ended, by kind."""
        rows = self.floor.desk_rows(
            "SELECT * FROM orders_order WHERE user_id = %s AND leg <> '' AND ended = %s ORDER BY id",
            self.trader.user_id,
            ended,
        )
        return {row["leg"]: row for row in rows}

    def wait_covered(self, qty: str, seconds: float = 20.0) -> dict[str, Row]:
        """Wait until stop and target of this quantity work at the broker."""

        def covered() -> dict[str, Row] | None:
            legs = self.legs()
            works = all(row["broker_order_id"] and row["leaves_qty"] == Decimal(qty) for row in legs.values())
            return legs if len(legs) == 2 and works else None

        try:
            return wait_until(f"stop and target of {qty}", covered, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.legs()}, {self.legs(ended=True)}") from None

    def wait_trade(self, *reasons: str) -> Row:
        """Wait until a trade is closed for one of these reasons."""

        def closed() -> Row | None:
            rows = self.floor.desk_rows(
                "SELECT * FROM orders_trade WHERE user_id = %s AND status = 'CLOSED' AND exit_reason = ANY(%s)",
                self.trader.user_id,
                list(reasons),
            )
            return rows[0] if rows else None

        return wait_until(f"the trade is closed: {reasons}", closed)

    def wait_none_open(self) -> None:
        wait_until("no exit is left", lambda: not self.legs())

    def at_venue(self) -> list[Row]:
        return self.floor.ledger(self.trader, "accepted")

    def attention(self) -> list[Row]:
        return self.floor.desk_rows(
            "SELECT kind, detail, resolved_at FROM orders_attentionitem WHERE user_id = %s",
            self.trader.user_id,
        )


@pytest.fixture
def pitch(floor: ArmedFloor) -> Pitch:
    return Pitch(floor)


def test_the_price_touches_the_stop(pitch: Pitch) -> None:
    pitch.enter(**BOTH)
    legs = pitch.wait_covered("10")
    assert (legs["STOP_LOSS"]["stop_px"] < 99, legs["TAKE_PROFIT"]["price"] > 103) == (True, True)
    pitch.price("97")
    trade = pitch.wait_trade("STOPPED_OUT")
    assert trade["realized_pnl"] < 0
    pitch.wait_none_open()
    ended = pitch.legs(ended=True)
    assert (ended["STOP_LOSS"]["ord_status"], ended["TAKE_PROFIT"]["ord_status"]) == ("FILLED", "CANCELED")
    assert len(pitch.at_venue()) == 3
    assert pitch.attention() == []


def test_the_price_touches_the_target(pitch: Pitch) -> None:
    pitch.enter(action="sell", **BOTH)
    pitch.wait_covered("10")
    pitch.price("95")
    trade = pitch.wait_trade("PROFIT_TAKEN")
    assert trade["realized_pnl"] > 0
    pitch.wait_none_open()
    ended = pitch.legs(ended=True)
    assert (ended["TAKE_PROFIT"]["ord_status"], ended["STOP_LOSS"]["ord_status"]) == ("FILLED", "CANCELED")
    assert pitch.attention() == []


def test_partial_fills_of_the_entry_are_followed(pitch: Pitch) -> None:
    plan = [{"qty": "3", "delay_ms": 0}, {"qty": "3", "delay_ms": 1500}, {"qty": "4", "delay_ms": 1500}]
    pitch.floor.add_fault("fill_plan", pitch.trader, fills=plan)
    pitch.enter(type="limit", price="101", **BOTH)  # answered before its first fill
    pitch.wait_covered("3")
    pitch.wait_covered("6")
    pitch.wait_covered("10")
    accepted = [Decimal(row["qty"]) for row in pitch.at_venue()]
    assert max(accepted) == 10
    pitch.price("97")
    pitch.wait_trade("STOPPED_OUT")


@pytest.mark.parametrize(
    "point",
    [
        "report.after_commit",
        "protect.before_commit",
        "protect.after_commit",
        "submit.after_commit",
        "send.after",
    ],
)
def test_a_worker_that_dies_between_fill_and_exit_leaves_it_to_the_next(pitch: Pitch, point: str) -> None:
    first = pitch.enter("1")  # has a worker there
    pitch.floor.wait_filled(pitch.trader, first)
    exit_ = pitch.floor.send(pitch.trader, symbol=pitch.symbol, action="close_long", quantity=None)
    pitch.floor.wait_filled(pitch.trader, exit_.json()["id"])
    if point.startswith("protect"):
        pitch.floor.arm(point, "kill")
        pitch.enter(**BOTH)
    else:
        pitch.floor.arm("protect.after_commit", "stop")
        pitch.enter(**BOTH)
        pid = pitch.floor.wait_stopped("protect.after_commit")
        pitch.floor.arm(point, "kill")
        pitch.floor.wake(pid)
    pitch.floor.wait_hit(point)
    legs = pitch.wait_covered("10", seconds=40)
    named = [row["client_order_id"] for row in pitch.at_venue()]
    assert named.count(legs["TAKE_PROFIT"]["cl_ord_id"]) == 1
    assert named.count(legs["STOP_LOSS"]["working_cl_ord_id"]) == 1
    pitch.price("97")
    pitch.wait_trade("STOPPED_OUT")
    pitch.wait_none_open()


def test_a_refused_pair_is_told_of_and_the_stop_placed_alone(pitch: Pitch) -> None:
    entry = pitch.enter("1")
    pitch.floor.wait_filled(pitch.trader, entry)
    pitch.floor.arm("protect.after_commit", "stop")
    pitch.enter("9", **BOTH)
    pid = pitch.floor.wait_stopped("protect.after_commit")
    pitch.floor.add_fault("refuse", pitch.trader, message="stop price is too near", count=2)
    pitch.floor.wake(pid)
    wait_until("the stop works", lambda: pitch.legs().get("STOP_LOSS", {}).get("ord_status") == "NEW")
    assert pitch.legs()["STOP_LOSS"]["leaves_qty"] == 10
    items = wait_until("the alarm is over", lambda: [i for i in pitch.attention() if i["resolved_at"]])
    assert [item["kind"] for item in items] == ["UNPROTECTED"]
    assert "stop price is too near" in items[0]["detail"]
    pitch.price("97")
    pitch.wait_trade("STOPPED_OUT")


def test_a_trailing_stop_follows_the_price(pitch: Pitch) -> None:
    pitch.enter(trailing={"offset": "2"})
    wait_until("the stop works", lambda: pitch.legs().get("STOP_LOSS", {}).get("ord_status") == "NEW")
    pitch.price("110")
    pitch.price("109")
    assert pitch.legs()["STOP_LOSS"]["ord_type"] == "TRAILING_STOP"
    pitch.price("107.5")
    trade = pitch.wait_trade("STOPPED_OUT")
    assert trade["realized_pnl"] > 0


def test_an_unprotected_position_is_alarmed(pitch: Pitch) -> None:
    pitch.floor.desk_rows(
        "UPDATE orders_strategy SET demands_protection = true WHERE user_id = %s RETURNING id",
        pitch.trader.user_id,
    )
    pitch.floor.wait_filled(pitch.trader, pitch.enter())
    items = wait_until("the operators are told", pitch.attention, seconds=30)
    assert [item["kind"] for item in items] == ["UNPROTECTED"]


def test_both_exits_filled_at_once_are_taken_back(pitch: Pitch) -> None:
    """The broker may fill both when the price leaps over them: Alpaca warns of it, and the venue can be told to."""
    pitch.floor.wait_filled(pitch.trader, pitch.enter("1"))
    pitch.floor.arm("protect.after_commit", "stop")
    pitch.enter("9", **BOTH)
    pid = pitch.floor.wait_stopped("protect.after_commit")
    race = {"match": {"account_id": pitch.trader.venue_account}, "fault": {"kind": "leg_race"}, "count": 2}
    pitch.floor.venue("POST", "/control/faults", race)
    pitch.floor.wake(pid)
    pitch.wait_covered("10")
    pitch.price("105")
    wait_until("the target is filled", lambda: len(pitch.floor.ledger(pitch.trader, "fill")) == 3)
    pitch.price("97")

    def flat() -> bool:
        rows = pitch.floor.desk_rows(
            "SELECT qty FROM orders_position WHERE user_id = %s", pitch.trader.user_id
        )
        return [row["qty"] for row in rows] == [0] and not pitch.legs()

    wait_until("the operators are told", lambda: "OVERCLOSED" in {item["kind"] for item in pitch.attention()})
    wait_until("nothing is left open", flat, seconds=30)
    assert {row["ord_status"] for row in pitch.legs(ended=True).values()} == {"FILLED"}


@pytest.mark.parametrize("first", ["97", "105"])
def test_stop_and_target_touched_in_the_same_second(pitch: Pitch, first: str) -> None:
    pitch.enter(**BOTH)
    pitch.wait_covered("10")
    second = "105" if first == "97" else "97"
    for price in (first, second, first, second):
        pitch.price(price)
    trade = pitch.wait_trade("STOPPED_OUT", "PROFIT_TAKEN")  # the exchange may not look in between
    assert trade["exit_qty"] == 10
    pitch.wait_none_open()
    assert len(pitch.floor.ledger(pitch.trader, "fill")) == 2, "one entry, one exit"
