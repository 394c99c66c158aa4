"""The manual order of the API: the same fields and the same strictness as an alert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from brokers.types import OrdType, PositionEffect, Side, TimeInForce
from orders.intake.alert import check_content_type
from orders.intake.fields import (
    BadValue,
    FieldCode,
    FieldError,
    FieldReader,
    InvalidFields,
    to_text,
    to_ticker,
    to_word,
)
from orders.intake.operation import Operation
from orders.intake.pricing import read_pricing, to_quantity
from orders.intake.protective import EXIT_NAMES, ProtectiveExit, check_exits, read_protective_exits
from orders.intake.strict_json import JsonValue, parse_object

MAX_CLIENT_REF_LENGTH = 200

# Each by the alert's name or by the name that the desk's own answers use.
QUANTITY_NAMES = ("quantity", "qty", "order_qty")
_TYPE_NAMES = ("order_type", "type", "ord_type")
STOP_NAMES = ("stop_price", "stop_px")
ORDER_FIELDS = frozenset(
    [
        *QUANTITY_NAMES,
        *_TYPE_NAMES,
        *STOP_NAMES,
        "symbol",
        "side",
        "price",
        "time_in_force",
        "position_effect",
        *EXIT_NAMES,
        "account",
        "id",
    ]
)

_SIDES = {side.value.lower(): side for side in Side}
_EFFECTS = {effect.value.lower(): effect for effect in PositionEffect}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")


class InvalidOrderRequest(InvalidFields):
    """The body is JSON, but not an order; ``errors`` holds every field's error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A manual order, checked field by field.

    ``quantity`` is None only where ``position_effect`` is CLOSE: close the whole position.
    ``account`` is None where the trader has but one to choose. ``client_ref`` is the sender's
    own text and no key: what makes a repeat harmless is the Idempotency-Key header.
    """

    symbol: str
    exchange: str | None
    side: Side
    quantity: Decimal | None
    ord_type: OrdType
    price: Decimal | None
    stop_px: Decimal | None
    time_in_force: TimeInForce | None  # None: the sender leaves the choice to the desk
    position_effect: PositionEffect
    stop_loss: ProtectiveExit | None = None
    take_profit: ProtectiveExit | None = None
    trailing: ProtectiveExit | None = None
    account: UUID | None
    client_ref: str | None
    body: Mapping[str, JsonValue] = field(repr=False, compare=False)

    @property
    def operation(self) -> Operation:
        return Operation.of(self.side, self.position_effect)

    @property
    def is_exit(self) -> bool:
        return self.operation.is_exit


def parse_order_request(raw: bytes, content_type: str | None) -> OrderRequest:
    """Parse the body of ``POST /api/v1/orders``.

    Raises ``UnsupportedContentType``, ``MalformedBody`` or ``InvalidOrderRequest``.
    """
    check_content_type(content_type, allowed=("application/json",))
    body = parse_object(raw)
    reader = FieldReader(body, ORDER_FIELDS)
    ticker = reader.read(to_ticker, "symbol", required=True)
    side = reader.read(lambda value: to_word(value, _SIDES), "side", required=True)
    effect = reader.read(lambda value: to_word(value, _EFFECTS), "position_effect")
    effect = effect or PositionEffect.OPEN
    quantity = reader.read(to_quantity, *QUANTITY_NAMES, required=effect is PositionEffect.OPEN)
    pricing = read_pricing(reader, type_names=_TYPE_NAMES, stop_names=STOP_NAMES)
    exits = read_protective_exits(reader, body.get)
    check_exits(reader, exits, is_exit=effect is PositionEffect.CLOSE, side=side, limit=pricing.price)
    account = reader.read(to_uuid, "account")
    client_ref = reader.read(lambda value: to_text(value, max_length=MAX_CLIENT_REF_LENGTH), "id")
    # The last two add nothing but the type checker's knowledge: both are required.
    if reader.errors or ticker is None or side is None:
        raise InvalidOrderRequest(reader.errors)
    return OrderRequest(
        symbol=ticker.symbol,
        exchange=ticker.exchange,
        side=side,
        quantity=quantity,
        ord_type=pricing.ord_type,
        price=pricing.price,
        stop_px=pricing.stop_px,
        time_in_force=pricing.time_in_force,
        position_effect=effect,
        stop_loss=exits.stop_loss,
        take_profit=exits.take_profit,
        trailing=exits.trailing,
        account=account,
        client_ref=client_ref,
        body=body,
    )


def parse_idempotency_key(header: str | None) -> str | None:
    """Check the Idempotency-Key header: 1 to 200 visible ASCII characters, or None.

    Raises ``InvalidOrderRequest``.
    """
    if header is None or _IDEMPOTENCY_KEY.fullmatch(header):
        return header
    message = "must be 1 to 200 visible ASCII characters"
    raise InvalidOrderRequest([FieldError("Idempotency-Key", FieldCode.BAD_FORMAT, message)])


def to_uuid(value: JsonValue) -> UUID:
    """Convert to a UUID; raises ``BadValue``."""
    text = to_text(value, max_length=36)
    if _UUID.fullmatch(text) is None:
        raise BadValue(FieldCode.BAD_FORMAT, "is not a UUID")
    return UUID(text)
