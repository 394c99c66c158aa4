"""The body of ``POST /api/v1/flatten``, read as strictly as an order's."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from orders.intake.alert import check_content_type
from orders.intake.fields import BadValue, FieldCode, FieldError, FieldReader, to_ticker
from orders.intake.order_request import to_uuid
from orders.intake.replace_request import InvalidRequest
from orders.intake.strict_json import JsonValue, parse_object

FLATTEN_FIELDS = frozenset(["symbol", "account", "everything"])


@dataclass(frozen=True, slots=True)
class FlattenRequest:
    """What is to be flattened; None: every account, every symbol."""

    account: UUID | None
    symbol: str | None


def parse_flatten_request(raw: bytes, content_type: str | None) -> FlattenRequest:
    """Parse what is to be flattened: a symbol, an account, one in the other, or ``everything``: true and nothing else.

    Raises ``UnsupportedContentType``, ``MalformedBody`` or ``InvalidRequest``.
    """
    check_content_type(content_type, allowed=("application/json",))
    reader = FieldReader(parse_object(raw), FLATTEN_FIELDS)
    ticker = reader.read(to_ticker, "symbol")
    account = reader.read(to_uuid, "account")
    everything = reader.read(_to_true, "everything")
    if reader.errors:
        raise InvalidRequest(reader.errors)
    if bool(everything) == (ticker is not None or account is not None):
        message = "name a symbol or an account, or say everything: true, and not both"
        raise InvalidRequest([FieldError("everything", FieldCode.NOT_ALLOWED, message)])
    return FlattenRequest(account, ticker.symbol if ticker else None)


def _to_true(value: JsonValue) -> bool:
    if value is not True:
        raise BadValue(FieldCode.NOT_ALLOWED, "true, or left out")
    return True
