"""The TradingView alert: from the bytes of a request to a frozen ``Alert``.

TradingView sends numbers as strings as often as not, gives ``{{timenow}}`` one-second
resolution, and says ``application/json`` only when the text is valid JSON, else ``text/plain``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from brokers.types import OrdType, PositionEffect, Side, TimeInForce
from orders.intake.fields import (
    FieldCode,
    FieldReader,
    InvalidFields,
    NumberLimits,
    to_decimal,
    to_text,
    to_ticker,
    to_timestamp,
    to_word,
)
from orders.intake.operation import Operation
from orders.intake.pricing import read_pricing, to_quantity
from orders.intake.protective import ProtectiveExit, check_exits, read_protective_exits
from orders.intake.strict_json import JsonValue, parse_object

MAX_ID_LENGTH = 200
MAX_SECRET_LENGTH = 256
MAX_COMMENT_LENGTH = 1_000

ALERT_FIELDS = frozenset(
    [
        "secret",
        "action",
        "order_type",
        "symbol",
        "ticker",
        "quantity",
        "qty",
        "timestamp",
        "timenow",
        "time",
        "id",
        "type",
        "price",
        "stop_price",
        "time_in_force",
        "stop_loss",
        "take_profit",
        "trailing",
        "market_position",
        "prev_market_position",
        "position_size",
        "comment",
    ]
)

# Informative only, so wider than a quantity: a float's noise must not cost the trader an alert.
_POSITION_SIZE = NumberLimits(-(Decimal(10) ** 12), Decimal(10) ** 12, 18)


class InvalidAlert(InvalidFields):
    """The body is JSON, but not an alert; ``errors`` holds every field's error."""


class UnsupportedContentType(Exception):
    """The request says that its body is something else than JSON or plain text in UTF-8."""


class MarketPosition(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, checked field by field; nothing about it has been authenticated yet.

    ``quantity`` is None where the strategy's sizing rule decides, and has no effect where
    ``operation.closes_whole``. ``body`` is the alert as parsed, without the secret.
    """

    secret: str | None = field(repr=False)
    operation: Operation
    symbol: str
    exchange: str | None
    quantity: Decimal | None
    timestamp: datetime  # aware UTC
    alert_id: str | None
    ord_type: OrdType
    price: Decimal | None
    stop_px: Decimal | None
    time_in_force: TimeInForce | None  # None: the alert leaves the choice to the desk
    stop_loss: ProtectiveExit | None
    take_profit: ProtectiveExit | None
    trailing: ProtectiveExit | None
    market_position: MarketPosition | None
    prev_market_position: MarketPosition | None
    position_size: Decimal | None  # signed, as TradingView sees it
    comment: str
    body: Mapping[str, JsonValue] = field(repr=False, compare=False)

    @property
    def side(self) -> Side:
        return self.operation.side

    @property
    def position_effect(self) -> PositionEffect:
        return self.operation.position_effect

    @property
    def is_exit(self) -> bool:
        return self.operation.is_exit


_OPEN, _CLOSE = PositionEffect.OPEN, PositionEffect.CLOSE
_ORDER_TYPES = {"entry": _OPEN, "exit": _CLOSE}
_MARKET_POSITIONS = {position.value.lower(): position for position in MarketPosition}
# An action either names its operation, or is a side that ``order_type`` completes.
_ACTIONS: dict[str, Operation | Side] = {
    "buy": Side.BUY,
    "sell": Side.SELL,
    "long_entry": Operation.ENTER_LONG,
    "long_exit": Operation.EXIT_LONG,
    "short_entry": Operation.ENTER_SHORT,
    "short_exit": Operation.EXIT_SHORT,
    "close_long": Operation.CLOSE_LONG,
    "close_short": Operation.CLOSE_SHORT,
}


def parse_alert(raw: bytes, content_type: str | None) -> Alert:
    """Parse the body of a webhook request.

    Of the three times, ``timestamp`` counts before ``timenow`` before ``time``: bodies often
    carry ``{{time}}`` too, the bar's opening, which may be hours old when the alert fires. The
    other aliases must agree where both are given.

    Raises ``UnsupportedContentType``, ``MalformedBody`` or ``InvalidAlert``, and nothing else.
    """
    check_content_type(content_type, allowed=("application/json", "text/plain"))
    body = parse_object(raw)
    reader = FieldReader(body, ALERT_FIELDS)
    secret = reader.read(_to_secret, "secret")
    operation = _read_operation(reader)
    ticker = reader.read(to_ticker, "symbol", "ticker", required=True)
    quantity = reader.read(to_quantity, "quantity", "qty")
    timestamp = reader.read_first(to_timestamp, "timestamp", "timenow", "time", required=True)
    alert_id = reader.read(_to_id, "id")
    pricing = read_pricing(reader, type_names=("type",), stop_names=("stop_price",))
    exits = read_protective_exits(reader, body.get)
    market_position = reader.read(_to_market_position, "market_position")
    prev_market_position = reader.read(_to_market_position, "prev_market_position")
    position_size = reader.read(_to_position_size, "position_size")
    comment = reader.read(_to_comment, "comment")
    if operation is not None:
        check_exits(reader, exits, is_exit=operation.is_exit, side=operation.side, limit=pricing.price)
    # The last three add nothing but the type checker's knowledge: all three are required.
    if reader.errors or operation is None or ticker is None or timestamp is None:
        raise InvalidAlert(reader.errors)
    return Alert(
        secret=secret,
        operation=operation,
        symbol=ticker.symbol,
        exchange=ticker.exchange,
        quantity=quantity,
        timestamp=timestamp,
        alert_id=alert_id,
        ord_type=pricing.ord_type,
        price=pricing.price,
        stop_px=pricing.stop_px,
        time_in_force=pricing.time_in_force,
        stop_loss=exits.stop_loss,
        take_profit=exits.take_profit,
        trailing=exits.trailing,
        market_position=market_position,
        prev_market_position=prev_market_position,
        position_size=position_size,
        comment=comment or "",
        body={name: value for name, value in body.items() if name != "secret"},
    )


def check_content_type(content_type: str | None, *, allowed: tuple[str, ...]) -> None:
    """Check the media type, and that a charset, where one is named, is UTF-8.

    Raises ``UnsupportedContentType``.
    """
    media_type, *parameters = (content_type or "").split(";")
    if media_type.strip().lower() not in allowed:
        raise UnsupportedContentType(f"Content-Type must be {' or '.join(allowed)}.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise UnsupportedContentType("The charset must be utf-8.")


def _read_operation(reader: FieldReader) -> Operation | None:
    action = reader.read(lambda value: to_word(value, _ACTIONS), "action", required=True)
    effect = reader.read(lambda value: to_word(value, _ORDER_TYPES), "order_type")
    if action is None or reader.failed("order_type"):
        return None
    if isinstance(action, Side):
        return Operation.of(action, effect or _OPEN)
    if effect is not None and effect is not action.position_effect:
        reader.refuse("order_type", FieldCode.CONFLICT, "contradicts action")
        return None
    return action


def _to_secret(value: JsonValue) -> str:
    return to_text(value, max_length=MAX_SECRET_LENGTH)


def _to_id(value: JsonValue) -> str:
    return to_text(value, max_length=MAX_ID_LENGTH)


def _to_comment(value: JsonValue) -> str:
    return to_text(value, max_length=MAX_COMMENT_LENGTH, blank=True)


def _to_market_position(value: JsonValue) -> MarketPosition:
    return to_word(value, _MARKET_POSITIONS)


def _to_position_size(value: JsonValue) -> Decimal:
    return to_decimal(value, _POSITION_SIZE)
