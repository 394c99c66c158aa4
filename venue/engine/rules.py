"""Prices that have to fit each other or the market, and what of an order may be replaced. Pure.

Source: Alpaca's "Orders at Alpaca" (threshold on the stop price, replacing of advanced orders) and the
messages that its paper endpoint gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from venue.engine.groups import Group
from venue.engine.requests import Amendment, Ticket
from venue.errors import VenueError, unprocessable
from venue.models import Order, Quote
from venue.render import number

_CENT = Decimal("0.01")


def check_base_price(ticket: Ticket, quote: Quote) -> None:
    """Refuse exits that are not at least a cent away from the base price, on their own side of it.

    The base price is an entry's limit where it has one, else the present price.
    """
    if not ticket.order_class:
        return
    is_oco = ticket.order_class == "oco"
    base = quote.last if is_oco or ticket.limit_price is None else ticket.limit_price
    # The exits of a buy sell, so their stop lies below; an OCO's own side is that of the exits.
    is_stop_below = (ticket.side == "sell") == is_oco
    if ticket.stop_loss is not None and ticket.stop_loss.stop_price is not None:
        _check_side("stop_loss.stop_price", ticket.stop_loss.stop_price, base, is_below=is_stop_below)
    if not is_oco and ticket.take_profit is not None and ticket.take_profit.limit_price is not None:
        _check_side(
            "take_profit.limit_price", ticket.take_profit.limit_price, base, is_below=not is_stop_below
        )


def _check_side(name: str, price: Decimal, base: Decimal, *, is_below: bool) -> None:
    if is_below and price > base - _CENT:
        raise unprocessable(f"{name} must be <= base_price - 0.01", base_price=number(base))
    if not is_below and price < base + _CENT:
        raise unprocessable(f"{name} must be >= base_price + 0.01", base_price=number(base))


def check_relation(exit_side: str, limit_price: Decimal, stop_price: Decimal) -> None:
    """Refuse a take-profit on the wrong side of its stop-loss."""
    if exit_side == "sell" and limit_price <= stop_price:
        raise unprocessable("take_profit.limit_price must be > stop_loss.stop_price")
    if exit_side == "buy" and limit_price >= stop_price:
        raise unprocessable("take_profit.limit_price must be < stop_loss.stop_price")


def check_exits(new: Order, others: Sequence[Order]) -> None:
    """Refuse to replace an exit across its sibling."""
    group = Group.of([*others, new])
    profit, stop = group.take_profit, group.stop_loss
    if profit is None or stop is None or profit.limit_price is None or stop.stop_price is None:
        return
    if new.leg != "entry":
        check_relation(new.side, profit.limit_price, stop.stop_price)


def check_amendable(old: Order, amendment: Amendment) -> None:
    """Refuse an amendment that the order's state, type or class does not allow."""
    if old.status in ("accepted", "pending_new"):
        raise unprocessable("unable to replace order, order isn't sent to exchange yet")
    if old.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    refusal = _wrong_class(old, amendment) or _wrong_price(old, amendment)
    if refusal is not None:
        raise refusal
    if amendment.qty is not None and amendment.qty <= old.filled_qty:
        raise unprocessable("qty must be greater than filled_qty")


def _wrong_class(old: Order, amendment: Amendment) -> VenueError | None:
    if old.order_class == "oto":
        return unprocessable("order replacement is not supported for oto orders")
    changed = amendment.qty not in (None, old.qty) or amendment.time_in_force not in (None, old.time_in_force)
    if old.order_class and changed:
        return unprocessable(f"only limit_price and stop_price of {old.order_class} orders can be replaced")
    return None


def _wrong_price(old: Order, amendment: Amendment) -> VenueError | None:
    if amendment.limit_price is not None and old.limit_price is None:
        return unprocessable(f"{old.type} orders must not have limit_price")
    if amendment.stop_price is not None and (old.stop_price is None or old.type == "trailing_stop"):
        return unprocessable(f"{old.type} orders must not have stop_price")
    if amendment.trail is not None and old.type != "trailing_stop":
        return unprocessable(f"{old.type} orders must not have trail")
    if amendment.trail is not None and old.triggered:
        return unprocessable("trail cannot be replaced once the stop price is hit")
    return None
