"""The bodies of a cancel and of a replace, read as strictly as an order's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from orders.intake.alert import check_content_type
from orders.intake.fields import FieldCode, FieldReader, InvalidFields
from orders.intake.order_request import QUANTITY_NAMES, STOP_NAMES
from orders.intake.pricing import to_price, to_quantity
from orders.intake.strict_json import JsonValue, parse_object

REPLACE_FIELDS = frozenset([*QUANTITY_NAMES, *STOP_NAMES, "price"])


class InvalidRequest(InvalidFields):
    """The terms of a cancel or replace cannot be used; ``errors`` holds every field's error."""


@dataclass(frozen=True, slots=True)
class ReplaceTerms:
    """What a replace asks for; None leaves a term as it is."""

    order_qty: Decimal | None = None
    price: Decimal | None = None
    stop_px: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """A replace as it was asked for; ``body`` is what an Idempotency-Key belongs to."""

    terms: ReplaceTerms
    body: Mapping[str, JsonValue] = field(repr=False, compare=False)


def parse_cancel_request(raw: bytes, content_type: str | None) -> None:
    """Check the body of ``POST /api/v1/orders/{id}/cancel``: nothing, or an object without fields.

    Raises ``UnsupportedContentType``, ``MalformedBody`` or ``InvalidRequest``.
    """
    if not raw:
        return
    check_content_type(content_type, allowed=("application/json",))
    reader = FieldReader(parse_object(raw), frozenset())
    if reader.errors:
        raise InvalidRequest(reader.errors)


def parse_replace_request(raw: bytes, content_type: str | None) -> ReplaceRequest:
    """Parse the body of ``POST /api/v1/orders/{id}/replace``.

    Raises ``UnsupportedContentType``, ``MalformedBody`` or ``InvalidRequest``.
    """
    check_content_type(content_type, allowed=("application/json",))
    body = parse_object(raw)
    reader = FieldReader(body, REPLACE_FIELDS)
    terms = ReplaceTerms(
        order_qty=reader.read(to_quantity, *QUANTITY_NAMES),
        price=reader.read(to_price, "price"),
        stop_px=reader.read(to_price, *STOP_NAMES),
    )
    if not reader.errors and terms == ReplaceTerms():
        reader.refuse("order_qty", FieldCode.REQUIRED, "is required, or a price that is to change")
    if reader.errors:
        raise InvalidRequest(reader.errors)
    return ReplaceRequest(terms, body)
