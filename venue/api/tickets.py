"""From a request body to a ticket: Alpaca's rules on which fields go together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

from venue.api import fields
from venue.api.classes import Classed, check_class, parse_class
from venue.assets import Asset, Assets
from venue.engine.requests import Amendment, Ticket
from venue.errors import forbidden, malformed, unprocessable

TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES_IN_FORCE = ("day", "gtc", "ioc", "fok", "opg", "cls")
INTENTS = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
MAX_CLIENT_ORDER_ID = 128
_MAX_TRAIL = Decimal(10) ** 6


def parse_ticket(body: dict[str, Any], assets: Assets) -> Ticket:
    """Read the body of a new order; raises VenueError with Alpaca's status and code."""
    classed = parse_class(body)
    asset = _asset(body, assets)
    order_type = fields.required_choice(body, "type", TYPES)
    ticket = Ticket(
        symbol=asset.symbol,
        side=fields.required_choice(body, "side", ("buy", "sell")),
        type=order_type,
        time_in_force=fields.required_choice(body, "time_in_force", TIMES_IN_FORCE),
        client_order_id=client_order_id(body) or str(uuid4()),
        qty=fields.quantity(body),
        notional=fields.notional(body),
        limit_price=_limit_price(body, order_type, classed),
        stop_price=_price(body, "stop_price", needed=order_type in ("stop", "stop_limit"), of=order_type),
        extended_hours=fields.flag(body, "extended_hours"),
        position_intent=_intent(body),
        trail_price=_positive(body, "trail_price"),
        trail_percent=_positive(body, "trail_percent"),
        order_class=classed.order_class,
        take_profit=classed.take_profit,
        stop_loss=classed.stop_loss,
    )
    _check_trail(ticket)
    _check_size(ticket, asset)
    check_class(ticket)
    _check_time_in_force(ticket)
    return ticket


def parse_amendment(body: dict[str, Any]) -> Amendment:
    """Read the body of a replacement; raises VenueError with Alpaca's status and code."""
    time_in_force = None
    if body.get("time_in_force") is not None:
        time_in_force = fields.required_choice(body, "time_in_force", TIMES_IN_FORCE)
    qty = fields.quantity(body)
    if qty is not None and qty != qty.to_integral_value():
        raise unprocessable("qty of a replacement must be whole shares")
    return Amendment(
        qty=qty,
        limit_price=fields.price(body, "limit_price"),
        stop_price=fields.price(body, "stop_price"),
        trail=_positive(body, "trail"),
        time_in_force=time_in_force,
        client_order_id=client_order_id(body),
    )


def client_order_id(body: dict[str, Any]) -> str | None:
    """Return the client order id, or nothing when the client left it to the venue."""
    value = fields.text(body, "client_order_id")
    if value is not None and len(value) > MAX_CLIENT_ORDER_ID:
        raise malformed(f"client_order_id must be no more than {MAX_CLIENT_ORDER_ID} characters")
    return value


def as_given(body: dict[str, Any]) -> Ticket:
    """Keep of a body that is refused what the ledger shall show, however odd it is."""

    def given(name: str) -> str:
        return fields.storable(str(body.get(name) or ""))[:MAX_CLIENT_ORDER_ID]

    return Ticket(
        symbol=given("symbol"),
        side=given("side"),
        type=given("type"),
        time_in_force=given("time_in_force"),
        client_order_id=given("client_order_id"),
    )


def _asset(body: dict[str, Any], assets: Assets) -> Asset:
    symbol = fields.text(body, "symbol")
    if symbol is None:
        raise malformed("symbol is required")
    asset = assets.find(symbol)
    if asset is None:
        raise unprocessable(f'asset "{symbol[:32]}" not found')
    if not asset.active:
        raise unprocessable(f"asset {asset.symbol} is not active")
    if not asset.tradable:
        raise unprocessable(f"asset {asset.symbol} is not tradable")
    return asset


def _intent(body: dict[str, Any]) -> str | None:
    if not body.get("position_intent"):
        return None
    return fields.required_choice(body, "position_intent", INTENTS)


def _price(body: dict[str, Any], name: str, *, needed: bool, of: str) -> Decimal | None:
    value = fields.price(body, name)
    if needed and value is None:
        raise malformed(f"{of} orders require {name}")
    if not needed and value is not None:
        raise malformed(f"{of} orders require no {name}")
    return value


def _limit_price(body: dict[str, Any], order_type: str, classed: Classed) -> Decimal | None:
    if classed.order_class == "oco" and classed.take_profit is not None:
        # The order itself is the take-profit, whatever limit_price says.
        return classed.take_profit.limit_price
    return _price(body, "limit_price", needed=order_type in ("limit", "stop_limit"), of=order_type)


def _check_trail(ticket: Ticket) -> None:
    given = [name for name in ("trail_price", "trail_percent") if getattr(ticket, name) is not None]
    if ticket.type == "trailing_stop" and len(given) != 1:
        raise malformed("trailing stop orders must specify one of trail_price or trail_percent")
    if ticket.type != "trailing_stop" and given:
        raise malformed(f"{ticket.type} orders require no {given[0]}")


def _positive(body: dict[str, Any], name: str) -> Decimal | None:
    value = fields.decimal(body, name)
    if value is not None and not 0 < value < _MAX_TRAIL:
        raise malformed(f"{name} must be > 0")
    return value


def _check_size(ticket: Ticket, asset: Asset) -> None:
    if ticket.qty is None and ticket.notional is None:
        raise malformed("qty or notional is required")
    if ticket.qty is not None and ticket.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if ticket.notional is not None and ticket.type != "market":
        raise unprocessable("notional orders must be market orders")
    fractional = ticket.qty is None or ticket.qty != ticket.qty.to_integral_value()
    if fractional and not asset.fractionable:
        raise forbidden(f'asset "{asset.symbol}" is not fractionable')
    if fractional and ticket.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")


def _check_time_in_force(ticket: Ticket) -> None:
    waits_for_stop = ticket.stop_price is not None or ticket.type == "trailing_stop"
    if waits_for_stop and ticket.time_in_force not in ("day", "gtc"):
        raise unprocessable(f"invalid time_in_force {ticket.time_in_force} for a {ticket.type} order")
    if ticket.extended_hours and (ticket.type != "limit" or ticket.time_in_force not in ("day", "gtc")):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
