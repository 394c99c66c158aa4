"""What an open position is worth at a price."""

import pytest

from orders.positions import Valuation, fold, value
from orders.positions.valuation import mark_of
from tests.orders.positions.making import D, fills

CASES = {
    # what: (fills, mark, multiplier, (market value, unrealized, percent))
    "long in profit": (["+10 @ 5"], "6", "1", ("60", "10", "20")),
    "long in loss": (["+10 @ 5"], "4.5", "1", ("45", "-5", "-10")),
    "short in profit": (["-10 @ 5"], "4", "1", ("-40", "10", "20")),
    "short in loss": (["-10 @ 5"], "6", "1", ("-60", "-10", "-20")),
    "contracts of a hundred": (["+2 @ 1.5"], "1.8", "100", ("360", "60", "20")),
    "what is left of it": (["+10 @ 5", "-4 @ 9"], "6", "1", ("36", "6", "20")),
    "a percentage is rounded": (["+3 @ 7"], "8", "1", ("24", "3", "14.2857")),
    "flat": (["+10 @ 5", "-10 @ 6"], "7", "1", ("0", "0", None)),
    "bought for nothing": (["+10 @ 0"], "7", "1", ("70", "70", None)),
}


@pytest.mark.parametrize(("terms", "mark", "multiplier", "expected"), CASES.values(), ids=CASES)
def test_value(terms: list[str], mark: str, multiplier: str, expected: tuple[str, str, str | None]) -> None:
    market_value, unrealized, pct = expected
    worth = value(fold(fills(*terms)).position, D(mark), D(multiplier))
    assert worth == Valuation(D(market_value), D(unrealized), None if pct is None else D(pct))


def test_realized_and_unrealized_sum_up_to_cash_and_value() -> None:
    position = fold(fills("+3 @ 7", "-1 @ 7.123456789 fee 0.01", "+0.3 @ 6.5")).position
    worth = value(position, D("6.987654321"))
    assert position.realized_pnl + worth.unrealized_pnl == position.cash + position.fees + worth.market_value


MARKS = {
    # what: (bid, ask, mark)
    "both sides": ("99", "101", "100"),
    "the middle of one step": ("1.000000001", "1.000000002", "1.0000000015"),
    "no ask": ("99", None, "99"),
    "no bid": (None, "101", "101"),
    "bid and ask alike": ("100", "100", "100"),
    "nothing": (None, None, None),
    "crossed": ("101", "100.99", None),
    "a bid of zero": ("0", "101", None),
    "a negative ask": ("1", "-1", None),
    "not a number": ("NaN", "101", None),
}


@pytest.mark.parametrize(("bid", "ask", "expected"), MARKS.values(), ids=MARKS)
def test_mark(bid: str | None, ask: str | None, expected: str | None) -> None:
    mark = mark_of(None if bid is None else D(bid), None if ask is None else D(ask))
    assert mark == (None if expected is None else D(expected))
