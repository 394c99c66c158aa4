"""Trailing stops: a high water mark that follows the market one way, and the stop that hangs on it. Pure.

Source: Alpaca's "Orders at Alpaca", trailing stop orders.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from venue.models import ZERO, Order, Quote

_PRICE_STEP = Decimal("0.0001")


def stop_from(side: str, hwm: Decimal, trail_price: Decimal | None, trail_percent: Decimal | None) -> Decimal:
    """Return the stop for a high water mark: below it for a sell, above it for a buy."""
    distance = trail_price if trail_price is not None else hwm * (trail_percent or ZERO) / 100
    return (hwm - distance if side == "sell" else hwm + distance).quantize(_PRICE_STEP).normalize() + ZERO


def ratchet(order: Order, quote: Quote) -> Order | None:
    """Return the order with its mark and stop moved to a better quote; nothing if the quote is no better."""
    if order.type != "trailing_stop" or order.triggered:
        return None
    is_better = order.hwm is None or (
        quote.last > order.hwm if order.side == "sell" else quote.last < order.hwm
    )
    if not is_better:
        return None
    stop = stop_from(order.side, quote.last, order.trail_price, order.trail_percent)
    return replace(order, hwm=quote.last, stop_price=stop)


def fresher(order: Order, other: Order | None) -> Order:
    """Return the order with whichever mark of the two has come further."""
    if other is None or other.hwm is None or order.hwm is None or order.triggered:
        return order
    ahead = other.hwm > order.hwm if order.side == "sell" else other.hwm < order.hwm
    return replace(order, hwm=other.hwm, stop_price=other.stop_price) if ahead else order
