"""What a fill does to a position and to cash: pure and exact."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from venue.models import ZERO, Position

_COST_STEP = Decimal("0.000000000001")


def apply_fill(position: Position, side: str, qty: Decimal, price: Decimal) -> tuple[Position, Decimal]:
    """Return the position after a fill and what the fill does to cash (negative for a buy).

    Adding keeps the cost exact; reducing takes the part of the cost that leaves, to 12 decimals; crossing
    zero starts a new position at the fill's price.
    """
    signed = qty if side == "buy" else -qty
    cash_delta = -signed * price
    held = position.qty
    after = held + signed
    if held == ZERO or (held > 0) == (signed > 0):
        cost = position.cost + signed * price
    elif after == ZERO:
        cost = ZERO
    elif (after > 0) == (held > 0):
        cost = (position.cost * after / held).quantize(_COST_STEP)
    else:
        cost = after * price
    return replace(position, qty=after, cost=cost), cash_delta
