"""Round trips: where one begins and ends, what belongs to it, and how a fill that passes zero is divided."""

from dataclasses import replace
from fractions import Fraction

import pytest

from orders.positions import Books, LegRole, PositionState, TripSide, book, fold
from tests.orders.positions.making import D, at, fill, fills

IN, OUT = LegRole.ENTRY, LegRole.EXIT


def test_adds_and_partial_closes_belong_to_one_trip() -> None:
    books = fold(fills("+10 @ 5 fee 1", "+10 @ 7 fee 1", "-5 @ 8 fee 1", "+5 @ 6", "-20 @ 7 fee 2"))
    assert books.open_trip is None
    assert books.position == PositionState(D(0), D(0), D(30), D(5), D(25))
    (trip,) = books.closed_trips
    assert trip.side is TripSide.LONG
    assert (trip.opened_at, trip.closed_at) == (at(0), at(4))
    assert (trip.entry_qty, trip.entry_px) == (D(25), D(6))
    assert (trip.exit_qty, trip.exit_px) == (D(25), D("7.2"))
    assert (trip.realized_pnl, trip.fees, trip.net_pnl) == (D(30), D(5), D(25))
    assert [(leg.exec_id, leg.role, leg.qty, leg.px) for leg in trip.legs] == [
        ("f000", IN, D(10), D(5)),
        ("f001", IN, D(10), D(7)),
        ("f002", OUT, D(5), D(8)),
        ("f003", IN, D(5), D(6)),
        ("f004", OUT, D(20), D(7)),
    ]


def test_a_trip_under_way_shows_what_it_has_realized_so_far() -> None:
    books = fold(fills("-10 @ 5", "+4 @ 3"))
    trip = books.open_trip
    assert trip is not None
    assert books.closed_trips == ()
    assert (trip.side, trip.closed_at) == (TripSide.SHORT, None)
    assert (trip.entry_qty, trip.exit_qty, trip.realized_pnl) == (D(10), D(4), D(8))


def test_a_trip_without_an_exit_has_no_exit_price() -> None:
    trip = fold(fills("+1 @ 5")).open_trip
    assert trip is not None
    assert (trip.exit_qty, trip.exit_px) == (D(0), None)


@pytest.mark.parametrize(("sign", "before", "after"), [("+-", "LONG", "SHORT"), ("-+", "SHORT", "LONG")])
def test_a_fill_that_passes_zero_is_an_exit_and_an_entry(sign: str, before: str, after: str) -> None:
    books = fold(fills(f"{sign[0]}10 @ 5", f"{sign[1]}25 @ 7"))
    (first,), second = books.closed_trips, books.open_trip
    assert second is not None
    assert (first.side, first.closed_at, second.side, second.opened_at) == (before, at(1), after, at(1))
    assert [(leg.exec_id, leg.role, leg.qty) for leg in first.legs] == [
        ("f000", IN, D(10)),
        ("f001", OUT, D(10)),
    ]
    assert [(leg.exec_id, leg.role, leg.qty) for leg in second.legs] == [("f001", IN, D(15))]


def test_the_fee_of_a_fill_that_passes_zero_is_divided_without_a_rest() -> None:
    books = fold(fills("+1 @ 5 fee 0.000000001", "-3 @ 7 fee 0.1"))
    (first,), second = books.closed_trips, books.open_trip
    assert second is not None
    assert str(first.fees) == "0.033333334333333333"
    assert str(second.fees) == "0.066666666666666667"
    assert first.fees + second.fees == books.position.fees == D("0.100000001")


def test_a_large_fee_is_divided_without_a_rest() -> None:
    fee = "999999999999.999999999"
    books = fold(fills("+1 @ 5", f"-7 @ 7 fee {fee}"))
    assert books.open_trip is not None
    assert Fraction(books.closed_trips[0].fees) + Fraction(books.open_trip.fees) == Fraction(fee)


def test_each_return_to_zero_ends_a_trip() -> None:
    books = fold(fills("+1 @ 5", "-1 @ 6", "-1 @ 6", "+1 @ 7", "+1 @ 7"))
    assert [(str(trip.side), int(trip.realized_pnl)) for trip in books.closed_trips] == [
        ("LONG", 1),
        ("SHORT", -1),
    ]
    assert books.open_trip is not None
    assert books.open_trip.opened_at == at(4)


def test_booking_goes_on_from_loaded_sums_without_the_earlier_legs() -> None:
    """What is kept of a position is its row and the sums of its open trip."""
    whole = fills("+10 @ 5 fee 1", "-4 @ 7", "+3 @ 5.5", "-12 @ 6 fee 0.7")
    kept = fold(whole[:2])
    assert kept.open_trip is not None
    loaded = Books(kept.position, replace(kept.open_trip, legs=()))
    for one in whole[2:]:
        loaded = book(loaded, one)
    complete = fold(whole)
    assert loaded.position == complete.position
    (closed,), (known,) = loaded.closed_trips, complete.closed_trips
    assert loaded.open_trip == complete.open_trip
    assert [leg.exec_id for leg in closed.legs] == ["f002", "f003"]
    assert (closed.exit_px, closed.entry_px, closed.net_pnl) == (known.exit_px, known.entry_px, known.net_pnl)


def test_a_fill_that_is_late_or_booked_already_is_refused() -> None:
    books = fold(fills("+1 @ 5", "+1 @ 6"))
    late, same, later = fill(0, "1", "5"), fill(1, "1", "6"), fill(2, "1", "7")
    assert [books.is_followed_by(one) for one in (late, same, later)] == [False, False, True]
    for one in (late, same):
        with pytest.raises(ValueError, match="does not follow"):
            book(books, one)


def test_books_without_the_trip_of_their_position_are_refused() -> None:
    open_books = fold(fills("+1 @ 5"))
    with pytest.raises(ValueError, match="a position of 1"):
        Books(open_books.position)
    with pytest.raises(ValueError, match="a position of 0"):
        Books(open_trip=open_books.open_trip)
