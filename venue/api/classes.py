"""Order classes in a request: bracket, OCO and OTO with their exits, by Alpaca's rules and in its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from venue.api import fields
from venue.engine.requests import Exit, Ticket
from venue.engine.rules import check_relation
from venue.errors import malformed, unprocessable

_OTHER_SIDE = {"buy": "sell", "sell": "buy"}


@dataclass(frozen=True, slots=True)
class Classed:
    """What a request says of its class; the class of a simple order is empty."""

    order_class: str = ""
    take_profit: Exit | None = None
    stop_loss: Exit | None = None


def parse_class(body: dict[str, Any]) -> Classed:
    """Read ``order_class``, ``take_profit`` and ``stop_loss``; raises VenueError."""
    name = ""
    if body.get("order_class"):
        name = fields.required_choice(body, "order_class", ("simple", "bracket", "oco", "oto", "mleg"))
    if name == "mleg" or body.get("legs"):
        raise unprocessable("order_class mleg is not supported")
    if name in ("", "simple"):
        for leg in ("take_profit", "stop_loss"):
            if body.get(leg):
                raise unprocessable(f"{leg} is not supported for simple orders")
        return Classed()
    classed = Classed(
        name,
        _exit(body, "take_profit", ("limit_price",)),
        _exit(body, "stop_loss", ("stop_price", "limit_price")),
    )
    _check_complete(classed)
    return classed


def check_class(ticket: Ticket) -> None:
    """Refuse what an order of a group cannot be; raises VenueError."""
    name = ticket.order_class
    if not name:
        return
    if name == "oco" and ticket.type != "limit":
        raise malformed("oco orders must be limit orders")
    if ticket.type not in ("market", "limit"):
        raise malformed(f"{name} orders must be market or limit orders")
    if ticket.qty is None or ticket.qty != ticket.qty.to_integral_value():
        raise unprocessable("fractional orders must be simple orders")
    if ticket.time_in_force not in ("day", "gtc"):
        raise unprocessable(f"{name} orders must be DAY or GTC orders")
    if ticket.extended_hours:
        raise unprocessable("extended hours order must be simple orders")
    exit_side = ticket.side if name == "oco" else _OTHER_SIDE[ticket.side]
    profit = ticket.take_profit.limit_price if ticket.take_profit else None
    stop = ticket.stop_loss.stop_price if ticket.stop_loss else None
    if profit is not None and stop is not None:
        check_relation(exit_side, profit, stop)


def _check_complete(classed: Classed) -> None:
    profit, stop, name = classed.take_profit, classed.stop_loss, classed.order_class
    if name == "oto":
        if (profit is None) == (stop is None):
            raise malformed("oto orders require either take_profit or stop_loss")
        return
    if profit is None:
        raise malformed(f"{name} orders require take_profit.limit_price")
    if stop is None:
        raise malformed(f"{name} orders require stop_loss.stop_price")


def _exit(body: Mapping[str, Any], leg: str, names: tuple[str, ...]) -> Exit | None:
    terms = body.get(leg)
    if terms is None or terms == {}:
        return None
    if not isinstance(terms, dict) or set(terms) - set(names):
        raise malformed(f"{leg} must be an object with {' and '.join(names)}")
    prices: dict[str, Decimal | None] = {
        name: fields.price(terms, name, shown=f"{leg}.{name}") for name in names
    }
    if prices[names[0]] is None:
        raise malformed(f"{leg} requires {names[0]}")
    return Exit(**prices)
