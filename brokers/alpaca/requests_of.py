"""The desk's commands as Alpaca's request bodies.

Not through the SDK's request models: they hold quantities and prices as floats, and a
replacement's quantity as an int. Alpaca takes them as text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from brokers.types import NewOrder, OrdType, ReplaceOrder, Side, TimeInForce

_ORD_TYPES = {
    OrdType.MARKET: "market",
    OrdType.LIMIT: "limit",
    OrdType.STOP: "stop",
    OrdType.STOP_LIMIT: "stop_limit",
    OrdType.TRAILING_STOP: "trailing_stop",
}
_SHARE = re.compile(r"[A-Z]{1,6}(\.[A-Z]{1,3})?")
_SIDES = {Side.BUY: "buy", Side.SELL: "sell"}
_TIMES_IN_FORCE = {time_in_force: time_in_force.value.lower() for time_in_force in TimeInForce}


def new_order(order: NewOrder) -> dict[str, Any]:
    """Write the body of ``POST /v2/orders``; raises ``ValueError`` for what Alpaca has not."""
    if order.ord_type not in _ORD_TYPES:
        raise ValueError(f"{order.ord_type} orders are not among this adapter's capabilities")
    body: dict[str, Any] = {
        "client_order_id": order.cl_ord_id,
        "symbol": order.symbol,
        "side": _SIDES[order.side],
        "type": _ORD_TYPES[order.ord_type],
        "time_in_force": _TIMES_IN_FORCE[order.time_in_force],
        "qty": _text(order.order_qty),
    }
    _put(body, "limit_price", order.price)
    _put(body, "stop_price", order.stop_px)
    _put(body, "trail_price", order.trail_offset)
    _put(body, "trail_percent", order.trail_percent)
    if order.oco_stop_px is not None and order.price is not None:
        body |= {
            "order_class": "oco",
            "take_profit": {"limit_price": _text(order.price)},
            "stop_loss": {"stop_price": _text(order.oco_stop_px)},
        }
    return body


def replacement(request: ReplaceOrder) -> dict[str, Any]:
    """Write the body of ``PATCH /v2/orders/{id}``."""
    body: dict[str, Any] = {"client_order_id": request.cl_ord_id}
    _put(body, "qty", request.order_qty)
    _put(body, "limit_price", request.price)
    _put(body, "stop_price", request.stop_px)
    if request.time_in_force is not None:
        body["time_in_force"] = _TIMES_IN_FORCE[request.time_in_force]
    return body


def order_id(broker_order_id: str) -> str:
    """Check that this is a UUID, so that it can stand in a path; raises ``ValueError``."""
    return str(UUID(broker_order_id))


def is_share(symbol: str) -> bool:
    """Say whether this is the symbol of a share: not of a pair (``BTC/USD``), nor of an option."""
    return _SHARE.fullmatch(symbol) is not None


def _put(body: dict[str, Any], name: str, value: Decimal | None) -> None:
    if value is not None:
        body[name] = _text(value)


def _text(value: Decimal) -> str:
    return format(value, "f")  # never an exponent
