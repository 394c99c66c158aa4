"""Whether an account may place an order: shares, shorting, buying power. Pure.

The rules are those that a paper account at Alpaca shows: an order either opens or closes, never both; what
closing orders hold cannot be sold again; buying power is ``multiplier`` times equity less what is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from venue.engine.transaction import Holdings
from venue.engine.wash import check_wash, opposite
from venue.errors import VenueError, forbidden, unprocessable
from venue.models import ZERO, Position, Quote
from venue.render import number

PriceOf = Callable[[str], Decimal]

# https://docs.alpaca.markets/docs/margin-and-short-selling
MARGIN_MINIMUM = Decimal(2000)
INITIAL_MARGIN = Decimal("0.5")
MAINTENANCE_MARGIN = Decimal("0.3")
SHORT_COLLAR = Decimal("1.03")
"""A short sale counts with at least this much of the ask against buying power."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an order would do, reduced to what the rules look at."""

    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    """Price at which it would use buying power."""
    ask: Decimal = ZERO
    type: str = "market"
    order_class: str = ""
    shortable: bool = True
    limit_price: Decimal | None = None
    position_intent: str | None = None
    outside: bool = False
    """Whether somebody else than the account's holder places it; it takes even shares that orders hold."""


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
    multiplier: Decimal

    @property
    def may_borrow(self) -> bool:
        """Whether the account has the equity that margin and short sales ask for."""
        return self.equity >= MARGIN_MINIMUM


def figures(holdings: Holdings, price_of: PriceOf) -> Figures:
    """Value an account; ``short_value`` is negative, buying power never is."""
    values = [position.qty * price_of(position.symbol) for position in holdings.positions.values()]
    long_value = sum((value for value in values if value > 0), ZERO)
    short_value = sum((value for value in values if value < 0), ZERO)
    equity = holdings.account.cash + long_value + short_value
    reserved = sum((order.reserved for order in holdings.open_orders), ZERO)
    multiplier = holdings.account.multiplier
    if equity < MARGIN_MINIMUM:
        multiplier = min(multiplier, Decimal(1))
    free = multiplier * equity - long_value + short_value - reserved
    return Figures(long_value, short_value, equity, reserved, max(free, ZERO), multiplier)


def maintenance(qty: Decimal, price: Decimal) -> Decimal:
    """Return the maintenance margin of a holding by Alpaca's table; a short's quantity is negative."""
    value = abs(qty) * price
    if qty >= 0:
        return value if price < Decimal("2.50") else value * MAINTENANCE_MARGIN
    if price < 5:
        return max(abs(qty) * Decimal("2.50"), value)
    return max(abs(qty) * 5, value * MAINTENANCE_MARGIN)


def reference_price(side: str, limit: Decimal | None, stop: Decimal | None, quote: Quote) -> Decimal:
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
    _check_class(wish, closes=closes)
    if wish.outside:
        return Admission(intent, ZERO)
    if closes:
        if holdings.account.wash_checks:
            check_wash(wish, holdings)
        _check_shares(wish, holdings, position)
        return Admission(intent, ZERO)
    price = wish.price if wish.side == "buy" else max(wish.price, wish.ask * SHORT_COLLAR)
    now = figures(holdings, price_of)
    _check_opening(wish, holdings, now)
    _check_buying_power(wish, now, price)
    return Admission(intent, price)


def _check_class(wish: Wish, *, closes: bool) -> None:
    if wish.order_class == "oco" and not closes:
        raise unprocessable("oco orders must be exit orders")
    if wish.order_class in ("bracket", "oto") and closes:
        raise unprocessable(f"{wish.order_class} orders must be entry orders")


def available_qty(holdings: Holdings, position: Position) -> Decimal:
    """Return how many of a position's shares no open order holds yet, as a number not below zero.

    A group holds its shares once: its stop-loss is held as long as its take-profit works.
    """
    return max(abs(position.qty) - _held(holdings, position), ZERO)


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


def _check_opening(wish: Wish, holdings: Holdings, now: Figures) -> None:
    if wish.side == "sell":
        if not holdings.account.shorting or not now.may_borrow:
            raise forbidden("account is not allowed to short")
        if not wish.shortable:
            raise unprocessable(f"asset {wish.symbol} cannot be sold short")
        if wish.qty != wish.qty.to_integral_value():
            raise forbidden("fractional orders cannot be sold short")
    if any(order.reserve_price for order in opposite(wish, holdings)):
        kind = "short sell while a long buy" if wish.side == "sell" else "long buy while a short sell"
        raise forbidden(f"cannot open a {kind} order is open")
    check_wash(wish, holdings)


def _check_buying_power(wish: Wish, now: Figures, price: Decimal) -> None:
    cost = wish.qty * price
    if cost > now.buying_power:
        raise forbidden(
            "insufficient buying power", buying_power=number(now.buying_power), cost_basis=number(cost)
        )


def _insufficient_shares(wish: Wish, existing: Decimal, available: Decimal, held: Decimal) -> VenueError:
    asked, there = number(wish.qty), number(available)
    return forbidden(
        f"insufficient qty available for order (requested: {asked}, available: {there})",
        symbol=wish.symbol,
        existing_qty=number(abs(existing)),
        available=number(available),
        held_for_orders=number(held),
    )
