"""What a client may ask of orders, once it is known to be well formed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Exit:
    """The terms of a leg: a take-profit has a limit, a stop-loss a stop and perhaps a limit."""

    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for a new order, by quantity or by value, with the legs of its class."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    client_order_id: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    order_class: str = ""
    take_profit: Exit | None = None
    stop_loss: Exit | None = None
    source: str = "access_key"


@dataclass(frozen=True, slots=True)
class Amendment:
    """A request to replace an order; what is None stays as it is."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: str | None = None
    client_order_id: str | None = None
