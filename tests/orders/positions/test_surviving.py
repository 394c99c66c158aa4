"""Which executions stand: corrections of any place in a chain, busts, and any order of arrival."""

from dataclasses import replace
from itertools import permutations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.types import Side
from orders.positions import ExecutionRow, Fill, fold, surviving
from orders.state import Bust, Correction, Event, Submitted, Trade, replay
from tests.orders.positions.making import ORDER, D, at, bust, row

CASES = {
    # what: (rows, (exec id, second, quantity, price) of each that stands)
    "trades": ([row("a", 1, "5"), row("b", 2, "6")], [("a", 1, "5", "10"), ("b", 2, "6", "10")]),
    "the same second": ([row("b", 1, "5"), row("a", 1, "6")], [("a", 1, "6", "10"), ("b", 1, "5", "10")]),
    "a correction": ([row("a", 1, "5"), row("c", 9, "4", "11", ref="a")], [("c", 1, "4", "11")]),
    "a correction keeps its place": (
        [row("a", 1, "5"), row("b", 2, "6"), row("c", 9, "4", ref="a")],
        [("c", 1, "4", "10"), ("b", 2, "6", "10")],
    ),
    "a chain": (
        [row("a", 1, "5"), row("c", 7, "4", ref="a"), row("d", 8, "3", ref="c")],
        [("d", 1, "3", "10")],
    ),
    "two of the same trade": (
        [row("a", 1, "5"), row("d", 7, "4", ref="a"), row("c", 8, "3", ref="a")],
        [("c", 1, "3", "10")],
    ),
    "a correction alone": ([row("c", 7, "4", ref="a")], [("c", 7, "4", "10")]),
    "a chain without its trade": (
        [row("c", 7, "4", ref="a"), row("d", 8, "3", ref="c")],
        [("d", 7, "3", "10")],
    ),
    "a correction stamped before its trade": (
        [row("c", 1, "4", ref="a"), row("a", 2, "5")],
        [("c", 2, "4", "10")],
    ),
    "a bust": ([row("a", 1, "5"), row("b", 2, "6"), bust("x", 9, "a")], [("b", 2, "6", "10")]),
    "a bust alone": ([bust("x", 9, "a")], []),
    "a bust of the trade of a chain": (
        [row("a", 1, "5"), row("c", 7, "4", ref="a"), bust("x", 9, "a")],
        [],
    ),
    "a bust of a correction": (
        [row("a", 1, "5"), row("c", 7, "4", ref="a"), bust("x", 9, "c")],
        [],
    ),
    "a correction of what was busted": (
        [row("a", 1, "5"), bust("x", 7, "a"), row("c", 9, "4", ref="a")],
        [],
    ),
    "a correction to nothing": ([row("a", 1, "5"), row("c", 7, "0", ref="a")], []),
}


@pytest.mark.parametrize(("rows", "expected"), CASES.values(), ids=CASES)
def test_the_same_stands_in_any_order_of_arrival(
    rows: list[ExecutionRow], expected: list[tuple[str, int, str, str]]
) -> None:
    standing = [
        Fill(exec_id, ORDER, Side.BUY, D(qty), D(px), at(second)) for exec_id, second, qty, px in expected
    ]
    for arrival in permutations(rows):
        assert surviving(arrival) == standing


def test_side_order_and_fee_are_those_of_the_row_that_stands() -> None:
    other = UUID(int=2)
    sold = replace(row("a", 1, "5"), side="SELL", order_id=other, fee=D("0.1"))
    corrected = replace(row("c", 2, "4", ref="a"), side="SELL", order_id=other, fee=D("0.08"))
    bought = row("b", 3, "4")
    assert surviving([bought, sold, corrected]) == [
        Fill("c", other, Side.SELL, D(4), D(10), at(1), D("0.08")),
        Fill("b", ORDER, Side.BUY, D(4), D(10), at(3)),
    ]


@pytest.mark.parametrize("kind", ["NEW", "FILLED"])
def test_what_is_no_execution_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        surviving([row("a", 1, "5", kind=kind)])


def test_the_books_turn_round_when_the_first_entry_is_busted() -> None:
    """Long 10, sold 15, bought 15 makes two trips; without the first fill it is one short trip."""
    sale = replace(row("b", 2, "15", "12"), side="SELL")
    rows = [row("a", 1, "10"), sale, row("c", 3, "15", "11")]
    before, after = fold(surviving(rows)), fold(surviving([bust("x", 9, "a"), *rows]))
    assert [(str(trip.side), int(trip.realized_pnl)) for trip in before.closed_trips] == [
        ("LONG", 20),
        ("SHORT", 5),
    ]
    assert before.position.qty == 10
    assert [(str(trip.side), int(trip.realized_pnl)) for trip in after.closed_trips] == [("SHORT", 15)]
    assert after.position.qty == 0


def history(number: int, code: int) -> tuple[list[ExecutionRow], Fill | None]:
    """One trade with up to three corrections and perhaps a bust, and what stands of it in the end."""
    order_id, side = UUID(int=code % 3 + 1), ("BUY", "SELL")[code % 2]
    corrections, busted = code // 4 % 4, code // 16 % 4 == 0
    names = [f"{number}.{place}" for place in range(corrections + 1)]
    rows = []
    for place, name in enumerate(names):
        qty, ref = D((code + 7 * place) % 5 + 1), names[place - 1] if place else ""
        exec_type = "TRADE_CORRECT" if place else "TRADE"
        second = number if place == 0 else 1000 - number - code % 7  # any order among the corrections
        rows.append(ExecutionRow(name, ref, exec_type, order_id, side, qty, D(10 + place), at(second)))
    last = rows[-1]
    fill = Fill(last.exec_id, order_id, Side(side), last.last_qty, last.last_px, at(number))
    if not busted:
        return rows, fill
    struck = names[code // 64 % len(names)]
    return [*rows, replace(bust(f"{number}.x", 2000, struck), order_id=order_id, side=side)], None


def event_of(execution: ExecutionRow) -> Event:
    exec_id, ref, qty, px = execution.exec_id, execution.exec_ref_id, execution.last_qty, execution.last_px
    if execution.exec_type == "TRADE":
        return Trade(exec_id, qty, px)
    return Correction(exec_id, ref, qty, px) if execution.exec_type == "TRADE_CORRECT" else Bust(exec_id, ref)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=16), st.integers(0, 2**32))
def test_books_depend_on_what_arrived_and_agree_with_the_orders(codes: bytes, seed: int) -> None:
    """However executions are shuffled, the books are those of the final terms; each order counts the same."""
    histories = [history(number, code) for number, code in enumerate(codes)]
    arrival = [execution for rows, _ in histories for execution in rows]
    Random(seed).shuffle(arrival)
    final = [fill for _, fill in histories if fill is not None]
    standing = surviving(arrival)
    assert standing == final
    assert fold(standing) == fold(final)
    for order_id in {execution.order_id for execution in arrival}:
        of_order = [event_of(execution) for execution in arrival if execution.order_id == order_id]
        cum_qty = replay(D(100), [Submitted(1), *of_order]).cum_qty
        assert cum_qty == sum(fill.qty for fill in standing if fill.order_id == order_id)
