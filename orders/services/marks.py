"""The columns of a position's row that say what it is worth, apart from its books. The row is locked by the caller."""

import datetime as dt
from decimal import Decimal

from orders.models import Position
from orders.positions import PositionState
from orders.positions.valuation import value

MARK_COLUMNS = ("mark_px", "market_value", "unrealized_pnl", "unrealized_pct", "quote_time", "valued_at")


def mark_position(position: Position, mark_px: Decimal, *, quote_time: dt.datetime, at: dt.datetime) -> None:
    """Value a locked position at a price; nothing is saved."""
    position.mark_px, position.quote_time, position.valued_at = mark_px, quote_time, at
    follow_books(position)


def follow_books(position: Position) -> None:
    """Have the value of a locked position say what its books hold now, at the price that it was valued at last.

    Nothing is left of it when flat; nothing is done where it was never valued. Nothing is saved.
    """
    if not position.qty:
        for name in MARK_COLUMNS:
            setattr(position, name, None)
    elif position.mark_px is not None:
        worth = value(PositionState(qty=position.qty, cost=position.cost), position.mark_px)
        position.market_value = worth.market_value
        position.unrealized_pnl = worth.unrealized_pnl
        position.unrealized_pct = worth.unrealized_pct
