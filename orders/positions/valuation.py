"""What an open position is worth at a price."""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from orders.positions.amounts import EXACT
from orders.positions.average_cost import PositionState

PCT_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Valuation:
    market_value: Decimal  # signed: a short position's is negative
    unrealized_pnl: Decimal
    unrealized_pct: Decimal | None  # of what the open quantity was traded for; None where that is nothing


def value(position: PositionState, mark: Decimal, multiplier: Decimal = Decimal(1)) -> Valuation:
    """Value what is open at ``mark``; ``multiplier`` is how many units one of the quantity stands for.

    Value and P&L are exact; the percentage has 4 places, half to even.
    """
    with localcontext(EXACT):
        market_value = position.qty * mark * multiplier
        unrealized = market_value - position.cost * multiplier
        basis = abs(position.cost * multiplier)
        pct = (100 * unrealized / basis).quantize(PCT_PLACES) if basis else None
        return Valuation(market_value, unrealized, pct)


def is_usable(bid_px: Decimal | None, ask_px: Decimal | None) -> bool:
    """Say whether a quote can be valued at: a side at least, none of them zero or below, and not crossed."""
    sides = [side for side in (bid_px, ask_px) if side is not None]
    if not sides or any(not side.is_finite() or side <= 0 for side in sides):
        return False
    return bid_px is None or ask_px is None or bid_px <= ask_px


def mark_of(bid_px: Decimal | None, ask_px: Decimal | None) -> Decimal | None:
    """Return the price to value at: the middle, or the one side that there is; None without a usable quote."""
    if not is_usable(bid_px, ask_px):
        return None
    if bid_px is None or ask_px is None:
        return ask_px if bid_px is None else bid_px
    with localcontext(EXACT):
        return (bid_px + ask_px) / 2
