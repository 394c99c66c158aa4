"""Prices rounded to the tick, in the direction that is safe for the trader. Pure.

| price | buy | sell | because |
|---|---|---|---|
| limit | down | up | nobody trades at a price worse than the one that was asked for |
| stop of an entry | up | down | it opens only once the price that was asked for has been reached |
| stop of an exit | down | up | it protects no later than was asked for |
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import StrEnum

from brokers.types import PositionEffect, Side

_CONTEXT = Context(prec=60)


class Purpose(StrEnum):
    """What a price is for, as far as it decides which side of it is the safe one."""

    LIMIT = "LIMIT"
    STOP_ENTRY = "STOP_ENTRY"
    STOP_EXIT = "STOP_EXIT"

    @classmethod
    def of_stop(cls, effect: PositionEffect) -> Purpose:
        return cls.STOP_ENTRY if effect == PositionEffect.OPEN else cls.STOP_EXIT


def round_price(price: Decimal, tick: Decimal, *, side: Side, purpose: Purpose) -> Decimal:
    """Return the multiple of ``tick`` nearest to ``price`` on its safe side; ``price`` itself where it is one.

    Less than one tick rounded down is zero, which is no price: what becomes of that the caller decides.
    Raises ValueError where ``tick`` is not above zero.
    """
    if not tick.is_finite() or tick <= 0:
        raise ValueError("a tick must be above zero")
    # A limit and the stop of an exit lie on the same side of what was asked for; that of an entry on the other.
    is_down = (side == Side.BUY) != (purpose is Purpose.STOP_ENTRY)
    steps = _CONTEXT.divide(price, tick).to_integral_value(
        ROUND_FLOOR if is_down else ROUND_CEILING, _CONTEXT
    )
    return _CONTEXT.multiply(steps, tick)
