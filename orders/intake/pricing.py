"""The part that alerts and manual orders share: the kind of order, its prices and its time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokers.types import OrdType, TimeInForce
from orders.intake.fields import PRICE, QUANTITY, FieldCode, FieldReader, to_decimal, to_word
from orders.intake.strict_json import JsonValue

ORD_TYPES = {
    "market": OrdType.MARKET,
    "limit": OrdType.LIMIT,
    "stop": OrdType.STOP,
    "stop_limit": OrdType.STOP_LIMIT,
}
TIMES_IN_FORCE = {tif.value.lower(): tif for tif in TimeInForce}

TAKES_PRICE = frozenset({OrdType.LIMIT, OrdType.STOP_LIMIT})
TAKES_STOP = frozenset({OrdType.STOP, OrdType.STOP_LIMIT})


@dataclass(frozen=True, slots=True)
class Pricing:
    ord_type: OrdType
    price: Decimal | None
    stop_px: Decimal | None
    time_in_force: TimeInForce | None  # None: the sender left the choice to the desk


def to_quantity(value: JsonValue) -> Decimal:
    """Convert a quantity: above zero, below 10^12, at most 9 decimals."""
    return to_decimal(value, QUANTITY)


def to_price(value: JsonValue) -> Decimal:
    """Convert a price: above zero, below 10^12, at most 9 decimals."""
    return to_decimal(value, PRICE)


def read_pricing(reader: FieldReader, *, type_names: tuple[str, ...], stop_names: tuple[str, ...]) -> Pricing:
    """Read kind, prices and time in force, and check that the prices are those the kind takes."""
    ord_type = reader.read(lambda value: to_word(value, ORD_TYPES), *type_names) or OrdType.MARKET
    price = reader.read(to_price, "price")
    stop_px = reader.read(to_price, *stop_names)
    time_in_force = reader.read(lambda value: to_word(value, TIMES_IN_FORCE), "time_in_force")
    if not reader.failed(*type_names):
        _check_price(reader, ord_type, ("price",), ord_type in TAKES_PRICE)
        _check_price(reader, ord_type, stop_names, ord_type in TAKES_STOP)
    return Pricing(ord_type, price, stop_px, time_in_force)


def _check_price(reader: FieldReader, ord_type: OrdType, names: tuple[str, ...], takes: bool) -> None:
    kind = ord_type.value.lower()
    if takes and not reader.given(*names):
        reader.refuse(names[0], FieldCode.REQUIRED, f"is required for a {kind} order")
    elif not takes and reader.given(*names):
        reader.refuse(names[0], FieldCode.NOT_ALLOWED, f"does not go with a {kind} order")
