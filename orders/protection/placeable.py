"""Which protective exits a broker can place."""

from __future__ import annotations

from decimal import Decimal

from brokers.types import Capabilities, OrdType
from orders.protection.terms import Protection


def unplaceable(
    protection: Protection, capabilities: Capabilities, quantity: Decimal | None
) -> dict[str, str]:
    """Return why each of these exits cannot be placed, by field; empty where all can.

    ``quantity`` is the entry's where it is known: some brokers take fractions in simple orders only.
    """
    refused = {}
    if protection.stop_loss is not None and OrdType.STOP not in capabilities.ord_types:
        refused["stop_loss"] = "the broker has no stop orders"
    if protection.take_profit is not None and OrdType.LIMIT not in capabilities.ord_types:
        refused["take_profit"] = "the broker has no limit orders"
    trailing = _trailing(protection, capabilities)
    if trailing:
        refused["trailing"] = trailing
    together = _together(protection, capabilities, quantity)
    if together:
        refused.setdefault("take_profit", together)
    return refused


def _trailing(protection: Protection, capabilities: Capabilities) -> str:
    if protection.trailing is None:
        return ""
    if OrdType.TRAILING_STOP not in capabilities.ord_types:
        return "the broker has no trailing stops"
    if protection.trailing.price is not None:
        return "the broker's trailing stops trail from the beginning: leave out its price"
    if protection.stop_loss is not None:
        return "a position has one stop: give either stop_loss or trailing"
    return ""


def _together(protection: Protection, capabilities: Capabilities, quantity: Decimal | None) -> str:
    if protection.take_profit is None or not protection.has_stop or not capabilities.exits_hold_shares:
        return ""
    if not capabilities.oco:
        return "the broker takes one exit for the same shares: leave out the target, or the stop"
    if protection.trailing is not None:
        return "the broker takes no target beside a trailing stop"
    if quantity is not None and quantity != quantity.to_integral_value():
        return "the broker takes no target beside a stop for a part of a share"
    return ""
