"""Query parameters, as strict as a body: a misspelled filter must not answer with everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

from django.db.models import Q
from django.http import QueryDict

from brokers.types import OrdStatus
from orders.intake.fields import BadValue, FieldCode, FieldError, InvalidFields, to_ticker, to_word
from orders.intake.freshness import parse_timestamp
from orders.intake.strict_json import shown_name
from orders.models import Source, Trade

T = TypeVar("T")

PAGING = frozenset({"cursor", "limit", "format"})
MAX_TEXT_LENGTH = 64

Filters = Mapping[str, Callable[[str], Q]]
"""Each parameter of a list, and what it asks for."""

OPEN_POSITION = ~Q(qty=0)

_STATUSES = {status.value.lower(): Q(ord_status=status) for status in OrdStatus}
_STATUSES["open"] = Q(ended=False)
_TRADE_STATUSES = {status.value.lower(): Q(status=status) for status in Trade.Status}
_TRADE_STATUSES["open"] = Q(status__in=[Trade.Status.ORDERED, Trade.Status.POSITION])
_SOURCES = {source.value: Q(source=source) for source in Source}


class InvalidQuery(InvalidFields):
    """Some query parameters cannot be used; ``errors`` holds them all."""


def refuse(name: str, code: FieldCode, message: str) -> InvalidQuery:
    """Return the error of one parameter."""
    return InvalidQuery([FieldError(name, code, message)])


def to_uuid(text: str) -> UUID:
    """Read a UUID in its usual form."""
    try:
        return UUID(text)
    except ValueError:
        raise BadValue(FieldCode.BAD_FORMAT, "is not a UUID") from None


def read_filters(params: QueryDict, filters: Filters) -> Q:
    """Return what the query asks of a list. Raises ``InvalidQuery`` with every parameter's error."""
    errors: list[FieldError] = []
    wanted = Q()
    for name, values in params.lists():
        if name in PAGING:
            continue
        try:
            wanted &= _filter(name, [str(value) for value in values], filters)
        except BadValue as error:
            errors.append(FieldError(shown_name(name), error.code, error.message))
    if errors:
        raise InvalidQuery(errors)
    return wanted


def _filter(name: str, values: list[str], filters: Filters) -> Q:
    if name not in filters:
        known = ", ".join(sorted(filters))
        raise BadValue(FieldCode.UNKNOWN, f"is not a filter; there are {known}")
    if len(values) != 1:
        raise BadValue(FieldCode.CONFLICT, "is given more than once")
    if len(values[0]) > MAX_TEXT_LENGTH and name != "status":
        raise BadValue(FieldCode.OUT_OF_RANGE, f"must be at most {MAX_TEXT_LENGTH} characters long")
    return filters[name](values[0])


def _one_of(words: Mapping[str, Q]) -> Callable[[str], Q]:
    def read(text: str) -> Q:
        wanted = Q()
        for word in {word.strip().lower() for word in text.split(",")}:
            wanted |= to_word(word, words)
        return wanted

    return read


def _moment(lookup: str) -> Callable[[str], Q]:
    def read(text: str) -> Q:
        try:
            return Q(**{lookup: parse_timestamp(text)})
        except ValueError as error:
            raise BadValue(FieldCode.BAD_FORMAT, str(error)) from None

    return read


def _plain(lookup: str) -> Callable[[str], Q]:
    def read(text: str) -> Q:
        if "\x00" in text or not text:
            raise BadValue(FieldCode.BAD_FORMAT, "must be plain text")
        return Q(**{lookup: text})

    return read


_OF_AN_ACCOUNT: Filters = {
    "symbol": lambda text: Q(symbol=to_ticker(text).symbol),
    "account": lambda text: Q(account=to_uuid(text)),
}
ORDER_FILTERS: Filters = {
    **_OF_AN_ACCOUNT,
    "status": _one_of(_STATUSES),
    "strategy": lambda text: Q(strategy=to_uuid(text)),
    "source": lambda text: to_word(text, _SOURCES),
    "cl_ord_id": _plain("cl_ord_id"),
    "since": _moment("received_at__gte"),
    "until": _moment("received_at__lt"),
}
"""
| parameter | orders |
|---|---|
| ``status`` | in this status, or in one of several with commas between; ``open``: not ended |
| ``symbol``, ``account``, ``strategy``, ``source``, ``cl_ord_id`` | of exactly this one |
| ``since``, ``until`` | received at or after, received before: ISO 8601 with a zone, or epoch seconds |
"""
POSITION_FILTERS: Filters = {
    **_OF_AN_ACCOUNT,
    "all": lambda text: to_word(text, {"0": OPEN_POSITION, "1": Q()}),
}
"""``all``: 1 for flat positions too."""
RECONCILIATION_FILTERS: Filters = {"account": lambda text: Q(account=to_uuid(text))}
TRADE_FILTERS: Filters = {
    **_OF_AN_ACCOUNT,
    "status": _one_of(_TRADE_STATUSES),
    "strategy": lambda text: Q(strategy=to_uuid(text)),
}
"""``status`` as of orders; ``open``: ordered, or a position."""
