"""Protective exits as an alert describes them: stop loss, take profit, trailing stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from brokers.types import Side
from orders.intake.fields import (
    PRICE,
    BadValue,
    FieldCode,
    FieldReader,
    NumberLimits,
    to_decimal,
)
from orders.intake.pricing import to_price
from orders.intake.strict_json import JsonValue

EXIT_NAMES = ("stop_loss", "take_profit", "trailing")
_MEMBERS = frozenset({"price", "percent", "offset"})


@dataclass(frozen=True, slots=True)
class ProtectiveExit:
    """Where an exit is placed, in the one way that the alert chose.

    ``percent`` and ``offset`` (a distance in price) count from the entry's fill. For a trailing
    exit they are the distance kept from the best price, and ``price`` is where trailing begins.
    """

    price: Decimal | None = None
    percent: Decimal | None = None
    offset: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ProtectiveExits:
    stop_loss: ProtectiveExit | None
    take_profit: ProtectiveExit | None
    trailing: ProtectiveExit | None


def read_protective_exits(reader: FieldReader, get: Callable[[str], JsonValue]) -> ProtectiveExits:
    """Read the three fields; a plain number is a price, and for ``trailing`` an offset."""
    return ProtectiveExits(
        stop_loss=_read_exit(reader, "stop_loss", get("stop_loss")),
        take_profit=_read_exit(reader, "take_profit", get("take_profit")),
        trailing=_read_exit(reader, "trailing", get("trailing")),
    )


def check_exits(
    reader: FieldReader, exits: ProtectiveExits, *, is_exit: bool, side: Side | None, limit: Decimal | None
) -> None:
    """Check protective exits against the order that they come with: an entry, on the right side of its limit."""
    if not is_exit:
        if side is not None:
            check_price_order(reader, exits, is_long=side is Side.BUY, limit=limit)
        return
    for name in EXIT_NAMES:
        if reader.given(name):
            reader.refuse(name, FieldCode.NOT_ALLOWED, "does not go with an exit")


def check_price_order(
    reader: FieldReader, exits: ProtectiveExits, *, is_long: bool, limit: Decimal | None
) -> None:
    """Check that a long's stop loss lies under its limit price and its target above; a short's reversed."""
    loss = exits.stop_loss.price if exits.stop_loss else None
    profit = exits.take_profit.price if exits.take_profit else None
    above, below = ("above", "below") if is_long else ("below", "above")
    for name, value, other_name, other, word in (
        ("stop_loss", loss, "price", limit, below),
        ("take_profit", profit, "price", limit, above),
        ("take_profit", profit, "stop_loss", loss, above),
    ):
        if value is None or other is None:
            continue
        if (value <= other) if word == "above" else (value >= other):
            reader.refuse(name, FieldCode.CONFLICT, f"must be {word} {other_name}")


def _read_exit(reader: FieldReader, name: str, value: JsonValue) -> ProtectiveExit | None:
    if value is None:
        return None
    if isinstance(value, dict):
        return _read_members(reader, name, value)
    try:
        number = to_price(value)
    except BadValue as bad:
        hint = "must be a number, or an object with price, percent or offset"
        reader.refuse(name, bad.code, hint if bad.code is FieldCode.WRONG_TYPE else bad.message)
        return None
    return ProtectiveExit(offset=number) if name == "trailing" else ProtectiveExit(price=number)


def _read_members(reader: FieldReader, name: str, value: dict[str, JsonValue]) -> ProtectiveExit | None:
    # A long can gain more than its price, but nothing falls by 100 percent and still trades.
    high = Decimal(10_000) if name == "take_profit" else Decimal(100)
    percents = NumberLimits(Decimal(0), high, 6)
    inner = FieldReader(value, _MEMBERS, prefix=f"{name}.")
    read = ProtectiveExit(
        price=inner.read(lambda given: to_decimal(given, PRICE), "price"),
        percent=inner.read(lambda given: to_decimal(given, percents), "percent"),
        offset=inner.read(lambda given: to_decimal(given, PRICE), "offset"),
    )
    if inner.errors:
        reader.adopt(name, inner.errors)
        return None
    ways = ("percent", "offset") if name == "trailing" else ("price", "percent", "offset")
    if sum(inner.given(way) for way in ways) != 1:
        reader.refuse(name, FieldCode.CONFLICT, f"needs exactly one of {', '.join(ways)}")
        return None
    return read
