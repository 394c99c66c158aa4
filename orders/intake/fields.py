"""Reading typed fields out of a parsed body, with every error collected and none hidden.

The converters (``to_…``) raise ``BadValue``; ``FieldReader`` puts the field's name to it. No
message ever repeats a value, because a value in the wrong place may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from typing import NamedTuple, NoReturn, TypeVar

from orders.intake.freshness import parse_timestamp
from orders.intake.strict_json import JsonValue, NumberText, shown_name

T = TypeVar("T")

MAX_ERRORS = 20  # in one answer: 64 KiB hold thousands of unknown fields
MAX_NUMBER_LENGTH = 40


class FieldCode(StrEnum):
    REQUIRED = "required"
    UNKNOWN = "unknown"
    WRONG_TYPE = "wrong_type"
    BAD_FORMAT = "bad_format"
    OUT_OF_RANGE = "out_of_range"
    TOO_PRECISE = "too_precise"
    CONFLICT = "conflict"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field; ``field`` is its name as the sender wrote it."""

    field: str
    code: FieldCode
    message: str


class InvalidFields(Exception):
    """The body is JSON, but its fields do not make a command; ``errors`` holds them all."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


class BadValue(Exception):
    """A converter cannot take this value."""

    def __init__(self, code: FieldCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Ticker(NamedTuple):
    """A symbol in upper case, apart from the exchange that TradingView may put before it."""

    exchange: str | None
    symbol: str


@dataclass(frozen=True, slots=True)
class NumberLimits:
    """The range ``low < value < high`` and the decimals that a number may use."""

    low: Decimal
    high: Decimal
    decimals: int


QUANTITY = NumberLimits(Decimal(0), Decimal(10) ** 12, 9)
PRICE = NumberLimits(Decimal(0), Decimal(10) ** 12, 9)

# JSON's own grammar, in ASCII, with at most two digits of exponent: never "+5", "1_0" or wide digits.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_SYMBOL = re.compile(r"(?:([A-Za-z0-9_]{1,20}):)?([A-Za-z0-9][A-Za-z0-9./_-]{0,31})")
_EXACT = Context(prec=80, traps=[Inexact])


def to_decimal(value: JsonValue, limits: NumberLimits) -> Decimal:
    """Convert a JSON number, or a string that holds one, without rounding."""
    if not isinstance(value, str):
        raise BadValue(FieldCode.WRONG_TYPE, "must be a number or a numeric string")
    if len(value) > MAX_NUMBER_LENGTH or _NUMBER.fullmatch(value) is None:
        raise BadValue(FieldCode.BAD_FORMAT, "is not a plain decimal number")
    number = Decimal(value)
    if not limits.low < number < limits.high:
        raise BadValue(FieldCode.OUT_OF_RANGE, f"must be above {limits.low:f} and below {limits.high:f}")
    return _at_scale(number, limits.decimals)


def to_text(value: JsonValue, *, max_length: int, blank: bool = False) -> str:
    """Take a JSON string; a JSON number is not one."""
    if not isinstance(value, str) or isinstance(value, NumberText):
        raise BadValue(FieldCode.WRONG_TYPE, "must be a string")
    if len(value) > max_length:
        raise BadValue(FieldCode.OUT_OF_RANGE, f"must be at most {max_length} characters long")
    if not blank and not value.strip():
        raise BadValue(FieldCode.BAD_FORMAT, "must not be blank")
    return value


def to_word(value: JsonValue, words: Mapping[str, T]) -> T:
    """Look up one of a few ASCII words; case does not matter."""
    if not isinstance(value, str) or isinstance(value, NumberText):
        raise BadValue(FieldCode.WRONG_TYPE, "must be a string")
    word = value.lower() if value.isascii() else value
    if word not in words:
        raise BadValue(FieldCode.NOT_ALLOWED, f"must be one of {', '.join(words)}")
    return words[word]


def to_ticker(value: JsonValue) -> Ticker:
    """Split TradingView's ``EXCHANGE:SYMBOL`` and put both into upper case."""
    text = to_text(value, max_length=53)
    match = _SYMBOL.fullmatch(text)
    if match is None:
        raise BadValue(FieldCode.BAD_FORMAT, "is not a symbol like AAPL, BTC/USD or NASDAQ:AAPL")
    exchange = match[1].upper() if match[1] else None
    return Ticker(exchange, match[2].upper())


def to_timestamp(value: JsonValue) -> datetime:
    """Read ISO 8601 with a zone, or epoch seconds or milliseconds, as aware UTC."""
    if not isinstance(value, str):
        raise BadValue(FieldCode.WRONG_TYPE, "must be an ISO 8601 string or epoch seconds")
    try:
        return parse_timestamp(value)
    except ValueError as error:
        raise BadValue(FieldCode.BAD_FORMAT, str(error)) from None


class FieldReader:
    """Reads fields one after the other and keeps every error for the one answer.

    A JSON ``null`` is the same as leaving the field out.
    """

    def __init__(self, body: Mapping[str, JsonValue], known: frozenset[str], prefix: str = "") -> None:
        self._body = body
        self._prefix = prefix
        self._failed: set[str] = set()
        self.errors: list[FieldError] = []
        for name in body:
            if name not in known:
                self.refuse(shown_name(name), FieldCode.UNKNOWN, "is not a known field")

    def given(self, *names: str) -> bool:
        """Say whether the body holds one of these fields, right or wrong."""
        return any(self._body.get(name) is not None for name in names)

    def failed(self, *names: str) -> bool:
        """Say whether one of these fields already has an error."""
        return not self._failed.isdisjoint(names)

    def refuse(self, name: str, code: FieldCode, message: str) -> None:
        """Record an error; past ``MAX_ERRORS`` the rest is left out."""
        self._failed.add(name)
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(FieldError(self._prefix + name, code, message))

    def adopt(self, name: str, errors: list[FieldError]) -> None:
        """Take over the errors of an object inside the field ``name``."""
        self._failed.add(name)
        self.errors.extend(errors[: MAX_ERRORS - len(self.errors)])

    def read(self, convert: Callable[[JsonValue], T], *names: str, required: bool = False) -> T | None:
        """Convert the field called by any of ``names``; two that differ are a conflict."""
        values = self._convert(convert, names, required)
        if any(value != values[0] for value in values[1:]):
            self.refuse(names[0], FieldCode.CONFLICT, f"{' and '.join(names)} differ")
            return None
        return values[0] if values else None

    def read_first(self, convert: Callable[[JsonValue], T], *names: str, required: bool = False) -> T | None:
        """Convert every field called by ``names`` and return the first that is there."""
        values = self._convert(convert, names, required)
        return values[0] if values else None

    def _convert(self, convert: Callable[[JsonValue], T], names: tuple[str, ...], required: bool) -> list[T]:
        given = [name for name in names if self._body.get(name) is not None]
        if required and not given:
            self.refuse(names[0], FieldCode.REQUIRED, "is required")
        values: list[T] = []
        for name in given:
            try:
                values.append(convert(self._body[name]))
            except BadValue as bad:
                self.refuse(name, bad.code, bad.message)
        return values


def _at_scale(number: Decimal, decimals: int) -> Decimal:
    """Write ``number`` without an exponent, and refuse digits past ``decimals`` that count."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):  # NaN and infinities, which the grammar never lets through
        _too_precise(decimals)
    if not number:
        return Decimal(0)
    if -decimals <= exponent <= 0:
        return number
    try:
        scale = Decimal(1).scaleb(-decimals) if exponent < 0 else Decimal(1)
        return number.quantize(scale, context=_EXACT.copy())
    except Inexact:
        _too_precise(decimals)


def _too_precise(decimals: int) -> NoReturn:
    raise BadValue(FieldCode.TOO_PRECISE, f"has more than {decimals} decimals")
