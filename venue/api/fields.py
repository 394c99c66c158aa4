"""Reading of bodies and query strings: strict, and refused in Alpaca's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from venue.errors import VenueError, malformed, not_found, unprocessable

MAX_BODY_BYTES = 65_536
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_MAX_QTY = Decimal(10) ** 9


def json_object(raw: bytes) -> dict[str, Any]:
    """Read a body that must be a JSON object; numbers come as Decimal."""
    if len(raw) > MAX_BODY_BYTES:
        raise VenueError(413, 41310000, "request body is too large")
    try:
        document = json.loads(raw, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise VenueError(400, 40010000, "request body format is invalid") from error
    if not isinstance(document, dict):
        raise VenueError(400, 40010000, "request body format is invalid")
    return document


def text(document: Mapping[str, Any], name: str) -> str | None:
    """Return a text field, or nothing when it is missing, null or empty."""
    value = document.get(name)
    if value is None or value == "":
        return None
    # A NUL or half a surrogate pair is valid JSON and no text that PostgreSQL keeps.
    if not isinstance(value, str) or "\0" in value or value != storable(value):
        raise malformed(f"{name} must be a string")
    return value


def storable(value: str) -> str:
    """Return a text without what PostgreSQL cannot keep."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def required_choice(document: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """Return a text field that must have one of some values."""
    value = text(document, name)
    if value is None:
        raise malformed(f"{name} is required")
    if value not in allowed:
        raise malformed(f"invalid {name}: {value[:64]}")
    return value


def flag(document: Mapping[str, Any], name: str) -> bool:
    """Return a boolean field, false when it is missing."""
    value = document.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise malformed(f"{name} must be a boolean")
    return value


def decimal(document: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number given as such or as text, or nothing."""
    value = document.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | Decimal) or not _NUMBER.fullmatch(str(value)):
        raise malformed(f"{name} must be a number")
    return Decimal(str(value))


def quantity(document: Mapping[str, Any], name: str = "qty") -> Decimal | None:
    """Return a number of shares: above zero, at most nine decimals."""
    value = decimal(document, name)
    if value is None:
        return None
    if value <= 0:
        raise malformed(f"{name} must be > 0")
    if value >= _MAX_QTY or _decimals(value) > 9:
        raise unprocessable(f"invalid {name} {value}. at most 9 decimal places and below 1000000000")
    return _plain(value)


def notional(document: Mapping[str, Any]) -> Decimal | None:
    """Return an amount of dollars: at least one, in cents."""
    value = decimal(document, "notional")
    if value is None:
        return None
    if value < 1:
        raise forbidden_minimum()
    if value >= _MAX_QTY or _decimals(value) > 2:
        raise unprocessable("notional value must be limited to 2 decimal places")
    return _plain(value)


def forbidden_minimum() -> VenueError:
    """An order by value is below the smallest one allowed."""
    return VenueError(403, 40310000, "cost basis must be >= minimal amount of order 1")


def price(document: Mapping[str, Any], name: str, shown: str = "") -> Decimal | None:
    """Return a price: above zero, in cents from one dollar on, else in hundredths of a cent.

    ``shown`` is the name that a refusal gives, where it is not the field's own.
    """
    value, shown = decimal(document, name), shown or name
    if value is None:
        return None
    if value <= 0:
        raise malformed(f"{shown} must be > 0")
    if value >= _MAX_QTY or _decimals(value) > (2 if value >= 1 else 4):
        raise unprocessable(
            f"invalid {shown} {value}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return _plain(value)


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Return a time in RFC 3339 or a date, in UTC unless it says otherwise."""
    raw = query.get(name)
    if not raw:
        return None
    try:
        # A plus that was not escaped arrives as a space.
        value = datetime.fromisoformat(raw.replace(" ", "+") if "T" in raw else raw)
    except ValueError as error:
        raise malformed(f"{name} is not a valid time") from error
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def day(query: Mapping[str, str], name: str, default: date) -> date:
    """Return a date, or the default when it is missing."""
    value = moment(query, name)
    return value.date() if value is not None else default


def count(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a number of rows between 1 and ``most``."""
    raw = query.get(name)
    if not raw:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", raw, re.ASCII) or not 1 <= int(raw) <= most:
        raise malformed(f"{name} must be between 1 and {most}")
    return int(raw)


def query_choice(query: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return a query parameter that must have one of some values."""
    value = query.get(name) or default
    if value not in allowed:
        raise malformed(f"{name} must be one of {', '.join(allowed)}")
    return value


def order_id(raw: str) -> UUID:
    """Return an order id from a path; what is none cannot be found."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise not_found(f"order not found for {raw[:64]}") from error


def _plain(value: Decimal) -> Decimal:
    # 1E+2 becomes 100, 10.0 becomes 10: whole shares must look whole to the rules.
    trimmed = value.normalize()
    return trimmed.quantize(Decimal(1)) if trimmed == trimmed.to_integral_value() else trimmed


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
