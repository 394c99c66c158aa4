"""What one fill does to a position: opened, added to, closed in part and in full, turned round."""

from dataclasses import replace
from fractions import Fraction

import pytest

from orders.positions import PositionState, Step, apply_fill
from orders.positions.average_cost import FLAT
from tests.orders.positions.making import START, D, fill, fills


def step_of(*terms: str) -> Step:
    """The step of the last fill."""
    step = Step(FLAT, D(0), D(0), D(0))
    for one in fills(*terms):
        step = apply_fill(step.position, one)
    return step


CASES = {
    # what: (fills, (qty, cost, avg_px, realized so far), (closed, opened, realized) of the last fill)
    "open long": (["+10 @ 5"], ("10", "50", "5", "0"), ("0", "10", "0")),
    "open short": (["-10 @ 5"], ("-10", "-50", "5", "0"), ("0", "10", "0")),
    "add long": (["+10 @ 5", "+5 @ 8"], ("15", "90", "6", "0"), ("0", "5", "0")),
    "add short": (["-10 @ 5", "-5 @ 8"], ("-15", "-90", "6", "0"), ("0", "5", "0")),
    "partial close long": (["+10 @ 5", "-4 @ 7"], ("6", "30", "5", "8"), ("4", "0", "8")),
    "partial close short": (["-10 @ 5", "+4 @ 7"], ("-6", "-30", "5", "-8"), ("4", "0", "-8")),
    "close long": (["+10 @ 5", "-10 @ 4"], ("0", "0", None, "-10"), ("10", "0", "-10")),
    "close short": (["-10 @ 5", "+10 @ 4"], ("0", "0", None, "10"), ("10", "0", "10")),
    "long to short": (["+10 @ 5", "-25 @ 7"], ("-15", "-105", "7", "20"), ("10", "15", "20")),
    "short to long": (["-10 @ 5", "+25 @ 7"], ("15", "105", "7", "-20"), ("10", "15", "-20")),
    "add after a partial close": (
        ["+10 @ 5", "-4 @ 7", "+6 @ 10"],
        ("12", "90", "7.5", "8"),
        ("0", "6", "0"),
    ),
    "fractions of a share": (
        ["+0.3 @ 10.1", "-0.123456789 @ 10.2"],
        ("0.176543211", "1.7830864311", "10.1", "0.0123456789"),
        ("0.123456789", "0", "0.0123456789"),
    ),
    "the last billionth": (
        ["+1 @ 3", "-0.999999999 @ 3", "-0.000000001 @ 4"],
        ("0", "0", None, "0.000000001"),
        ("0.000000001", "0", "0.000000001"),
    ),
    "a price below zero": (["+10 @ -37.63", "-10 @ 10"], ("0", "0", None, "476.3"), ("10", "0", "476.3")),
}


@pytest.mark.parametrize(("terms", "position", "last"), CASES.values(), ids=CASES)
def test_a_fill_moves_the_position(
    terms: list[str], position: tuple[str, str, str | None, str], last: tuple[str, str, str]
) -> None:
    step = step_of(*terms)
    qty, cost, avg_px, realized = position
    after = step.position
    assert (after.qty, after.cost, after.realized_pnl) == (D(qty), D(cost), D(realized))
    assert after.avg_px == (None if avg_px is None else D(avg_px))
    assert (step.closed_qty, step.opened_qty, step.realized_pnl) == tuple(map(D, last))
    assert after.cash == after.realized_pnl - after.cost


def test_fees_lessen_the_cash_and_leave_the_pnl_alone() -> None:
    after = step_of("+10 @ 5 fee 0.25", "-10 @ 7 fee -0.05").position
    assert after == PositionState(qty=D(0), cost=D(0), realized_pnl=D(20), fees=D("0.20"), cash=D("19.80"))


def test_what_a_partial_close_releases_is_rounded_at_the_eighteenth_place() -> None:
    after = step_of("+1 @ 1", "+2 @ 4.5", "-1 @ 4").position  # 10 / 3 of 10 are released
    assert str(after.cost) == "6.666666666666666667"
    assert str(after.realized_pnl) == "0.666666666666666667"


@pytest.mark.parametrize(("cost", "left"), [(5, 3), (3, 1), (7, 3), (-5, -3), (-3, -1)])
def test_a_half_is_rounded_to_the_even_neighbour(cost: int, left: int) -> None:
    """In units of the last place: half of 5 is released as 2, half of 3 as 2, half of 7 as 4."""
    last_place = D("1E-18")
    opened = PositionState(qty=D(2 if cost > 0 else -2), cost=cost * last_place)
    assert apply_fill(opened, fill(0, -opened.qty / 2, "0")).position.cost == left * last_place


def test_rounding_leaves_nothing_behind_in_a_flat_position() -> None:
    after = step_of("+1 @ 1", "+2 @ 4.5", "-1 @ 4", "-1 @ 4", "-1 @ 4").position
    assert after == PositionState(qty=D(0), cost=D(0), realized_pnl=D(2), fees=D(0), cash=D(2))


def test_the_largest_numbers_that_a_row_can_hold_stay_exact() -> None:
    most = D("999999999999.999999999")
    position = FLAT
    for number in range(50):
        position = apply_fill(position, fill(number, most, most, "0.000000001")).position
    assert Fraction(position.cost) == 50 * Fraction(most) ** 2
    assert Fraction(position.cash) == -50 * Fraction(most) ** 2 - 50 * Fraction(1, 10**9)
    assert position.avg_px == most


def test_the_average_price_is_rounded_at_the_tenth_place() -> None:
    assert str(step_of("+1 @ 1", "+2 @ 2").position.avg_px) == "1.6666666667"


@pytest.mark.parametrize("qty", ["0", "-1"])
def test_a_fill_has_a_quantity(qty: str) -> None:
    with pytest.raises(ValueError, match="fill f001 of"):
        replace(fill(1, "1", "1"), qty=D(qty))


def test_a_fill_has_an_aware_time() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        replace(fill(1, "1", "1"), at=START.replace(tzinfo=None))
