"""Ten thousand random sequences of fills against books that are kept another way."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from orders.positions import Books, Fill, PositionState, RoundTrip, book, fold
from tests.orders.positions.making import D, fill
from tests.orders.positions.oracle import ExpectedTrip, cash_of, expected_trips

LAST_PLACE = Fraction(1, 10**18)
PX_ROUNDING = Fraction(1, 2 * 10**10)

QTYS = [D(qty) for qty in ("1", "2", "3", "5", "0.5", "0.333333333", "0.000000001", "999999999999.999999999")]
PRICES = [D(px) for px in ("0", "0.000000001", "-37.63", "1", "999999999999.999999999", "123.456789012")]
FEES = ("0", "0", "0.1", "-0.000000001", "999999999999.999999999", "0.000000007")


def sequence_of(code: bytes) -> list[Fill]:
    """Read two bytes as a fill: which way, how much, whether exactly back to zero, at what price and fee.

    A zero byte in front is no fill, so that a failing sequence shrinks to the fills that it takes.
    """
    made: list[Fill] = []
    held = D(0)
    for number, (how, px_code) in enumerate(zip(code[::2], code[1::2], strict=False)):
        if not how:
            continue
        qty = QTYS[how // 2 % 8] if how % 2 else -QTYS[how // 2 % 8]
        if how // 16 % 4 == 0 and held * qty < 0:
            qty = -held
        px = PRICES[px_code] if px_code < len(PRICES) else D(px_code) * D("0.700000001")
        made.append(fill(number, qty, px, FEES[(how + px_code) % len(FEES)]))
        held += qty
    return made


@settings(max_examples=10_000, deadline=None)
@given(st.binary(min_size=6, max_size=100).map(sequence_of))
def test_books_equal_the_oracle(fills: Sequence[Fill]) -> None:
    books = Books()
    for one in fills:
        books = book(books, one)
        assert_nothing_is_lost(books.position)
    assert books == fold(fills)
    trips = [*books.closed_trips, *([books.open_trip] if books.open_trip else [])]
    expected = expected_trips(fills)
    assert_position(books.position, fills, expected)
    for trip, expected_trip in zip(trips, expected, strict=True):
        assert_trip(trip, expected_trip, len(fills))
    assert books.position.realized_pnl == exact_sum(trip.realized_pnl for trip in trips)
    assert books.position.fees == exact_sum(trip.fees for trip in trips)


def assert_nothing_is_lost(position: PositionState) -> None:
    """What holds to the last digit after each fill."""
    assert exact_sum([position.cash, position.fees, position.cost]) == position.realized_pnl
    assert (position.qty == 0) == (position.avg_px is None)
    assert position.qty or position.cost == 0


def assert_position(position: PositionState, fills: Sequence[Fill], trips: Sequence[ExpectedTrip]) -> None:
    assert F(position.qty) == sum(trip.qty for trip in trips)
    assert F(position.cash) == cash_of(fills)
    assert F(position.fees) == sum(F(one.fee) for one in fills)
    near(position.cost, sum((trip.qty * trip.average for trip in trips), F(D(0))), len(fills) * LAST_PLACE)
    near(position.realized_pnl, sum((trip.pnl for trip in trips), F(D(0))), len(fills) * LAST_PLACE)


def assert_trip(trip: RoundTrip, expected: ExpectedTrip, count: int) -> None:
    over = expected.qty == 0
    assert (trip.closed_at is not None) == over
    assert (F(trip.entry_qty), F(trip.exit_qty)) == (expected.entered, expected.left)
    # A trip that is over has earned its cash exactly; one under way has rounded once for each partial close.
    near(trip.realized_pnl, expected.pnl, 0 * LAST_PLACE if over else count * LAST_PLACE)
    near(trip.fees, expected.fees, LAST_PLACE)  # rounded at either end, where a fill passed zero
    assert trip.entry_px is not None
    near(trip.entry_px, expected.entry_px, PX_ROUNDING)
    assert (trip.exit_px is None) == (expected.exit_px is None)
    if trip.exit_px is not None and expected.exit_px is not None:
        near(trip.exit_px, expected.exit_px, PX_ROUNDING)


def near(actual: Decimal, expected: Fraction, tolerance: Fraction) -> None:
    assert abs(F(actual) - expected) <= tolerance


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    return reduce(Context(prec=400).add, amounts, D(0))


def F(amount: Decimal) -> Fraction:  # noqa: N802 - as short as the D beside it
    return Fraction(amount)
