"""Compare the desk's books with a broker's: facts in, differences out. Pure; services act on what is found."""

from orders.reconciliation.books import BOOKED, Holding, TheirBooks, WorkingOrder
from orders.reconciliation.compare import (
    PositionDifference,
    Why,
    adjusting_price,
    cash_difference,
    has_changed,
    position_differences,
    stood_still,
    strangers,
)
from orders.reconciliation.daily import last_mark

__all__ = [
    "BOOKED",
    "Holding",
    "PositionDifference",
    "TheirBooks",
    "Why",
    "WorkingOrder",
    "adjusting_price",
    "cash_difference",
    "has_changed",
    "last_mark",
    "position_differences",
    "stood_still",
    "strangers",
]
