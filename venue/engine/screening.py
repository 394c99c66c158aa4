"""Whether an account may place an order: shares, shorting, buying power. Pure.

The rules are those that a paper account at Alpaca shows: an order either opens or closes, never both; what
closing orders hold cannot be sold again; buying power is ``multiplier`` times equity less what is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from venue.engine.transaction import Holdings
from venue.errors import VenueError, forbidden, unprocessable
from venue.models import ZERO, Position, Quote
from venue.render import number

PriceOf = Callable[[str], Decimal]


@dataclass(frozen=True, slots=True)
class Wish:
    """What an order would do, reduced to what the rules look at."""

    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    """Price at which it would use buying power."""
    position_intent: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What the order holds while it is open."""

    position_intent: str
    reserve_price: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """An account's valuation at the present prices."""

    long_value: Decimal
    short_value: Decimal
    equity: Decimal
    reserved: Decimal
    buying_power: Decimal


def figures(holdings: Holdings, price_of: PriceOf) -> Figures:
    """Value an account; ``short_value`` is negative, buying power never is."""
    values = [position.qty * price_of(position.symbol) for position in holdings.positions.values()]
    long_value = sum((value for value in values if value > 0), ZERO)
    short_value = sum((value for value in values if value < 0), ZERO)
    equity = holdings.account.cash + long_value + short_value
    reserved = sum((order.reserved for order in holdings.open_orders), ZERO)
    free = holdings.account.multiplier * equity - long_value + short_value - reserved
    return Figures(long_value, short_value, equity, reserved, max(free, ZERO))


def reference_price(
    order_type: str, side: str, limit: Decimal | None, stop: Decimal | None, quote: Quote
) -> Decimal:
    """Return the price at which an order counts against buying power."""
    if limit is not None:
        return limit
    if stop is not None:
        return max(stop, quote.ask) if side == "buy" else stop
    return quote.ask if side == "buy" else quote.bid


def screen(wish: Wish, holdings: Holdings, price_of: PriceOf) -> Admission:
    """Let an order in, or raise the VenueError that Alpaca would answer with."""
    if holdings.account.blocked:
        raise forbidden("account is blocked from trading")
    position = holdings.position(wish.symbol)
    closes = position.qty > 0 if wish.side == "sell" else position.qty < 0
    intent = f"{wish.side}_to_{'close' if closes else 'open'}"
    if wish.position_intent not in (None, intent):
        raise unprocessable(
            f"position intent mismatch, inferred: {intent}, specified: {wish.position_intent}"
        )
    if closes:
        _check_shares(wish, holdings, position)
        return Admission(intent, ZERO)
    _check_opening(wish, holdings)
    _check_buying_power(wish, holdings, price_of)
    return Admission(intent, wish.price)


def available_qty(holdings: Holdings, position: Position) -> Decimal:
    """Return how many of a position's shares no open order holds yet, as a positive number."""
    return abs(position.qty) - _held(holdings, position)


def _held(holdings: Holdings, position: Position) -> Decimal:
    closing_side = "sell" if position.qty > 0 else "buy"
    return sum(
        (
            order.leaves_qty
            for order in holdings.open_orders
            if order.symbol == position.symbol and order.side == closing_side
        ),
        ZERO,
    )


def _check_shares(wish: Wish, holdings: Holdings, position: Position) -> None:
    available = available_qty(holdings, position)
    if wish.qty > available:
        raise _insufficient_shares(wish, position.qty, available, _held(holdings, position))


def _check_opening(wish: Wish, holdings: Holdings) -> None:
    opposite = "buy" if wish.side == "sell" else "sell"
    if wish.side == "sell":
        if not holdings.account.shorting:
            raise _insufficient_shares(wish, ZERO, ZERO, ZERO)
        if wish.qty != wish.qty.to_integral_value():
            raise forbidden("fractional orders cannot be sold short")
    if any(order.symbol == wish.symbol and order.side == opposite for order in holdings.open_orders):
        kind = "short sell while a long buy" if wish.side == "sell" else "long buy while a short sell"
        raise forbidden(f"cannot open a {kind} order is open")


def _check_buying_power(wish: Wish, holdings: Holdings, price_of: PriceOf) -> None:
    free = figures(holdings, price_of).buying_power
    cost = wish.qty * wish.price
    if cost > free:
        raise forbidden("insufficient buying power", buying_power=number(free), cost_basis=number(cost))


def _insufficient_shares(wish: Wish, existing: Decimal, available: Decimal, held: Decimal) -> VenueError:
    asked, there = number(wish.qty), number(available)
    return forbidden(
        f"insufficient qty available for order (requested: {asked}, available: {there})",
        symbol=wish.symbol,
        existing_qty=number(abs(existing)),
        available=number(available),
        held_for_orders=number(held),
    )
