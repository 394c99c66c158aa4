"""The books of one account and symbol: its position, the trip under way and the trips that are over."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orders.positions.amounts import split
from orders.positions.average_cost import FLAT, PositionState, Step, apply_fill
from orders.positions.fills import Fill
from orders.positions.trips import RoundTrip, begin, enter, leave


@dataclass(frozen=True, slots=True)
class Books:
    """A trip is open exactly while the position is not flat; raises ValueError otherwise.

    ``closed_trips`` are those closed since these books were begun or loaded.
    """

    position: PositionState = FLAT
    open_trip: RoundTrip | None = None
    closed_trips: tuple[RoundTrip, ...] = ()
    last: tuple[datetime, str] | None = None  # the place of the last fill booked

    def __post_init__(self) -> None:
        if (self.open_trip is None) != (self.position.qty == 0):
            raise ValueError(f"a position of {self.position.qty} with trip {self.open_trip}")

    def is_followed_by(self, fill: Fill) -> bool:
        """Say whether ``fill`` comes after all that is booked; one that does not needs a ``fold`` of everything."""
        return self.last is None or fill.place > self.last


def fold(fills: Iterable[Fill]) -> Books:
    """Book fills from nothing. Raises ValueError where they are not in the order (at, exec_id)."""
    books = Books()
    for fill in fills:
        books = book(books, fill)
    return books


def book(books: Books, fill: Fill) -> Books:
    """Book the next fill.

    One that passes zero closes a trip and opens another; its fee is split between them by quantity. Raises
    ValueError for a fill that does not come after all that is booked: average cost depends on the order.
    """
    if not books.is_followed_by(fill):
        raise ValueError(f"fill {fill.exec_id} at {fill.at} does not follow {books.last}")
    step = apply_fill(books.position, fill)
    trip, closed_trips = _walk(books.open_trip, fill, step)
    return Books(step.position, trip, (*books.closed_trips, *closed_trips), fill.place)


def _walk(trip: RoundTrip | None, fill: Fill, step: Step) -> tuple[RoundTrip | None, tuple[RoundTrip, ...]]:
    """Return the trip that is open after ``fill`` and the one that it has closed."""
    closed: tuple[RoundTrip, ...] = ()
    exit_fee, entry_fee = split(fill.fee, step.closed_qty, fill.qty)
    if trip is not None and step.closed_qty:
        trip = leave(trip, fill, step.closed_qty, exit_fee, step.realized_pnl)
        if trip.closed_at is not None:
            closed = (trip,)
            trip = None
    if step.opened_qty:
        trip = enter(trip or begin(fill), fill, step.opened_qty, entry_fee)
    return trip, closed
