"""What a fill or a split does to a position and to cash: pure and exact."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from venue.models import ZERO, Position

_SHARE_STEP = Decimal("0.000000001")
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


def apply_split(position: Position, old: Decimal, new: Decimal) -> Position:
    """Return the position after a split: ``new`` shares for each ``old`` ones, at the same cost."""
    qty = (position.qty * new / old).quantize(_SHARE_STEP, ROUND_DOWN)
    qty = qty.quantize(Decimal(1)) if qty == qty.to_integral_value() else qty.normalize()
    return replace(position, qty=qty, cost=position.cost if qty else ZERO)
