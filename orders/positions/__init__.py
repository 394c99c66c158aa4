"""Positions and round trips by average cost: frozen fills in, frozen books out; no ORM, no Django.

``fills`` holds what was traded, ``surviving`` which executions count, ``average_cost`` the position and what
one fill does to it, ``trips`` the round trip, ``books`` ties them together, ``valuation`` what an open position
is worth, ``amounts`` the arithmetic that keeps all of it exact.
"""

from orders.positions.average_cost import PositionState, Step, apply_fill
from orders.positions.books import Books, book, fold
from orders.positions.fills import Fill
from orders.positions.surviving import ExecutionRow, surviving
from orders.positions.trips import Leg, LegRole, RoundTrip, TripSide
from orders.positions.valuation import Valuation, value

__all__ = [
    "Books",
    "ExecutionRow",
    "Fill",
    "Leg",
    "LegRole",
    "PositionState",
    "RoundTrip",
    "Step",
    "TripSide",
    "Valuation",
    "apply_fill",
    "book",
    "fold",
    "surviving",
    "value",
]
