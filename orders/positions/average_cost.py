"""A position by average cost, and what one fill does to it.

At every moment ``cash + fees == realized_pnl - cost``, to the last digit; a flat position has no cost.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from orders.positions.amounts import EXACT, ZERO, average_px, share
from orders.positions.fills import Fill


@dataclass(frozen=True, slots=True)
class PositionState:
    """A position of one account and symbol; amounts in the symbol's currency, per unit of its multiplier."""

    qty: Decimal = ZERO  # signed: short is negative
    cost: Decimal = ZERO  # signed: what the open quantity was bought (+) or sold (-) for
    realized_pnl: Decimal = ZERO  # before fees
    fees: Decimal = ZERO  # paid; rebates are negative
    cash: Decimal = ZERO  # what the fills have brought in, fees taken off

    @property
    def avg_px(self) -> Decimal | None:
        """Average what is open: 10 places, half to even; None when flat."""
        return average_px(self.cost, self.qty)


FLAT = PositionState()


@dataclass(frozen=True, slots=True)
class Step:
    """What one fill has done: ``closed_qty + opened_qty`` is the fill's quantity."""

    position: PositionState
    closed_qty: Decimal
    opened_qty: Decimal
    realized_pnl: Decimal  # of this fill, before fees


def apply_fill(position: PositionState, fill: Fill) -> Step:
    """Close what the fill closes, then open with the rest of it.

    A partial close releases its share of the cost, to 18 places; a full one releases all that is left, so
    that rounding never stays behind in a flat position.
    """
    with localcontext(EXACT):
        held = abs(position.qty)
        closed = min(held, fill.qty) if position.qty * fill.sign < 0 else ZERO
        opened = fill.qty - closed
        released = position.cost if closed == held else share(position.cost, closed, held)
        realized = -fill.sign * closed * fill.px - released
        after = PositionState(
            qty=position.qty + fill.sign * fill.qty,
            cost=position.cost - released + fill.sign * opened * fill.px,
            realized_pnl=position.realized_pnl + realized,
            fees=position.fees + fill.fee,
            cash=position.cash - fill.sign * fill.qty * fill.px - fill.fee,
        )
        return Step(after, closed, opened, realized)
