"""Single values of Alpaca's JSON, read exactly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.errors import OutcomeUnknown

Payload = Mapping[str, Any]


class UnreadableFact(OutcomeUnknown):
    """The broker said something that this adapter does not understand."""


def decimal_of(value: Any) -> Decimal:
    """Read a quantity or price from its text, never by way of a float."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableFact(f"{type(value).__name__} where a number was due")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnreadableFact("text where a number was due") from None
    if not number.is_finite():
        raise UnreadableFact("a number that is not finite")
    return number


def time_of(value: Any) -> datetime:
    """Read an RFC 3339 time as aware UTC; nanoseconds are cut to microseconds."""
    if not isinstance(value, str):
        raise UnreadableFact(f"{type(value).__name__} where a time was due")
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise UnreadableFact("text where a time was due") from None
    if time.tzinfo is None:
        raise UnreadableFact("a time without a zone")
    return time.astimezone(UTC)


def mapping_of(value: Any) -> Payload:
    """Read an object."""
    if not isinstance(value, Mapping):
        raise UnreadableFact(f"{type(value).__name__} where an object was due")
    return value


def text_of(row: Payload, name: str) -> str:
    """Read a member that must be there as text and not empty."""
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableFact(f"no {name}")
    return value


def day_of(value: Any) -> date:
    """Read a calendar day, ``2026-03-31``."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnreadableFact("no day where one was due") from None


def optional_decimal_of(value: Any) -> Decimal | None:
    """Read a number that may be missing, null or empty."""
    return None if value is None or value == "" else decimal_of(value)


def rows_of(answer: Any) -> list[Any]:
    """Read a list answer."""
    if not isinstance(answer, list):
        raise UnreadableFact(f"{type(answer).__name__} where a list was due")
    return answer


def client_order_id_of(row: Any) -> str:
    """Read only whose order this is, also where the rest of it is strange to us."""
    return text_of(mapping_of(row), "client_order_id")


def id_of(row: Any) -> str:
    """Read the broker's id of an order or activity."""
    return text_of(mapping_of(row), "id")


def misses_legs(row: Any) -> bool:
    """Say whether this order is an OCO's first and comes without its stop: only a nested look shows that."""
    order = mapping_of(row)
    return order.get("order_class") == "oco" and order.get("type") == "limit" and not order.get("legs")


def submitted_at_of(row: Any) -> datetime:
    """Read when an order was submitted."""
    return time_of(mapping_of(row).get("submitted_at"))
