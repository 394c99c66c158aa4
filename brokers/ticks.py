"""The smallest step of a price, which may depend on the price."""

from __future__ import annotations

from decimal import Decimal

from brokers.types import TickRule


def tick_at(rule: TickRule, price: Decimal) -> Decimal:
    """Return the tick that counts at this price. Raises ``ValueError`` for a rule that says nothing of it."""
    for start, tick in reversed(rule):
        if price >= start:
            return tick
    raise ValueError(f"no tick for a price of {price}")
