"""Records as Alpaca renders them: numbers as strings, times in RFC 3339 with Z."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from venue.assets import Asset, asset_id
from venue.models import Change, Order

_AVERAGE_STEP = Decimal("0.000000001")


def number(value: Decimal) -> str:
    """Write a decimal in full, without exponent and without trailing zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def optional_number(value: Decimal | None) -> str | None:
    """Write a decimal, or nothing."""
    return None if value is None else number(value)


def average(value: Decimal) -> str:
    """Write a quotient, cut to nine decimals."""
    return number(value.quantize(_AVERAGE_STEP))


def moment(value: datetime) -> str:
    """Write a UTC time with microseconds."""
    return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def optional_moment(value: datetime | None) -> str | None:
    """Write a time, or nothing."""
    return None if value is None else moment(value)


def optional_id(value: UUID | None) -> str | None:
    """Write an id, or nothing."""
    return None if value is None else str(value)


def order(record: Order, legs: Sequence[Order] = ()) -> dict[str, Any]:
    """Render an order with the fields of Alpaca's order entity, and with the legs that are nested in it."""
    filled_average = average(record.filled_value / record.filled_qty) if record.filled_qty else None
    return {
        "id": str(record.id),
        "client_order_id": record.client_order_id,
        "created_at": moment(record.created_at),
        "updated_at": moment(record.updated_at),
        "submitted_at": moment(record.submitted_at),
        "filled_at": optional_moment(record.filled_at),
        "expired_at": optional_moment(record.expired_at),
        "expires_at": optional_moment(record.expires_at),
        "canceled_at": optional_moment(record.canceled_at),
        "failed_at": optional_moment(record.failed_at),
        "replaced_at": optional_moment(record.replaced_at),
        "replaced_by": optional_id(record.replaced_by),
        "replaces": optional_id(record.replaces),
        "asset_id": str(asset_id(record.symbol)),
        "symbol": record.symbol,
        "asset_class": "us_equity",
        "notional": optional_number(record.notional),
        # An order by value has no quantity of its own until it is filled.
        "qty": None if record.notional is not None else number(record.qty),
        "filled_qty": number(record.filled_qty),
        "filled_avg_price": filled_average,
        "order_class": record.order_class,
        "order_type": record.type,
        "type": record.type,
        "side": record.side,
        "position_intent": record.position_intent,
        "time_in_force": record.time_in_force,
        "limit_price": optional_number(record.limit_price),
        "stop_price": optional_number(record.stop_price),
        "status": record.status,
        "extended_hours": record.extended_hours,
        "legs": [order(leg) for leg in legs] or None,
        "trail_percent": optional_number(record.trail_percent),
        "trail_price": optional_number(record.trail_price),
        "hwm": optional_number(record.hwm),
        "subtag": None,
        "source": record.source,
    }


def trade_update(change: Change) -> dict[str, Any]:
    """Render the stream message for a change that belongs to an order."""
    if change.order is None:
        raise ValueError(f"a {change.kind} change without an order has no trade update")
    data: dict[str, Any] = {
        "event": change.event,
        "timestamp": moment(change.at),
        "order": order(change.order),
    }
    if change.execution_id is not None:
        data["execution_id"] = str(change.execution_id)
    if change.previous_execution_id is not None:
        data["previous_execution_id"] = str(change.previous_execution_id)
    if change.reason:
        data["reason"] = change.reason
    if change.event in ("fill", "partial_fill", "trade_bust", "trade_correct"):
        data["price"] = optional_number(change.price)
        data["qty"] = optional_number(change.qty)
        data["position_qty"] = optional_number(change.position_qty)
    return {"stream": "trade_updates", "data": data}


def asset(record: Asset) -> dict[str, Any]:
    """Render an asset."""
    return {
        "id": str(record.id),
        "class": "us_equity",
        "exchange": record.exchange,
        "symbol": record.symbol,
        "name": record.name,
        "status": "active" if record.active else "inactive",
        "tradable": record.tradable and record.active,
        "marginable": record.marginable,
        "maintenance_margin_requirement": 30 if record.marginable else 100,
        "margin_requirement_long": "30" if record.marginable else "100",
        "margin_requirement_short": "30" if record.marginable else "100",
        "shortable": record.shortable,
        "easy_to_borrow": record.shortable,
        "fractionable": record.fractionable,
        "attributes": ["fractional_eh_enabled"] if record.fractionable else [],
    }
