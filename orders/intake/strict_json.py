"""Strict JSON: the only reader of request bodies.

Python's ``json`` accepts NaN, 1e309 and duplicate keys, turns ``1.10`` into a float and raises
RecursionError on deep nesting. This reader refuses all of that with one exception.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import NoReturn, TypeAlias

MAX_BODY_BYTES = 65_536
MAX_DEPTH = 16
SHOWN_NAME_LENGTH = 64


class NumberText(str):
    """A JSON number exactly as it was written; nothing has been rounded."""

    __slots__ = ()


JsonValue: TypeAlias = "str | bool | list[JsonValue] | dict[str, JsonValue] | None"
"""What ``parse_object`` returns; a number is a ``NumberText``, which is a ``str``."""


class MalformedBody(Exception):
    """The body is not the JSON object that we read; ``detail`` never quotes a value from it."""

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class BodyTooLarge(MalformedBody):
    """The body is longer than the cap."""


# A string (also one that never ends, so that the scan stays linear), or one bracket.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def parse_object(
    raw: bytes, *, max_bytes: int = MAX_BODY_BYTES, max_depth: int = MAX_DEPTH
) -> dict[str, JsonValue]:
    """Parse a body that must be one JSON object.

    Checks in this order: length, UTF-8 without BOM, depth, then the grammar with no duplicate
    keys, no NaN or Infinity and numbers kept as text, then strings that PostgreSQL can store.
    Raises ``BodyTooLarge`` or ``MalformedBody``, whatever the bytes are.
    """
    if len(raw) > max_bytes:
        raise BodyTooLarge(f"The body is longer than {max_bytes} bytes.")
    text = _decode(raw)
    _check_depth(text, max_depth)
    value = _load(text)
    if not isinstance(value, dict):
        raise MalformedBody("The body must be a JSON object.")
    # Only an escape can bring a NUL or half a surrogate pair: raw ones were refused above.
    if "\\u" in text:
        _check_storable(value, field=None)
    return value


def shown_name(name: str) -> str:
    """Shorten a sender's field name so that an answer about it stays short and encodable."""
    cut = name if len(name) <= SHOWN_NAME_LENGTH else name[:SHOWN_NAME_LENGTH] + "…"
    return cut.encode("utf-8", "replace").decode("utf-8").replace("\x00", "�")


def _decode(raw: bytes) -> str:
    if not raw:
        raise MalformedBody("The body is empty.")
    if raw.startswith(codecs.BOM_UTF8):
        raise MalformedBody("The body starts with a byte order mark.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8 (byte {error.start}).") from None


def _check_depth(text: str, max_depth: int) -> None:
    """Refuse deep nesting by one linear scan, before anything recurses."""
    if text.count("{") + text.count("[") <= max_depth:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match[0]
        if found in "{[":
            depth += 1
            if depth > max_depth:
                raise MalformedBody(f"The body is nested more than {max_depth} levels deep.")
        elif found in "}]":
            depth -= 1


def _load(text: str) -> JsonValue:
    try:
        value: JsonValue = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        detail = f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        raise MalformedBody(detail) from None
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise MalformedBody("A field is given twice.", field=shown_name(name))
            seen.add(name)
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not a JSON number.")


def _check_storable(value: JsonValue, field: str | None) -> None:
    """Refuse NUL and lone surrogates, which PostgreSQL's text and jsonb cannot hold."""
    if isinstance(value, dict):
        for name, member in value.items():
            _check_text(name, field)
            _check_storable(member, field or shown_name(name))
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, field)
    elif isinstance(value, str):
        _check_text(value, field)


def _check_text(text: str, field: str | None) -> None:
    if "\x00" in text:
        raise MalformedBody("A string contains a NUL character.", field=field)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedBody("A string contains half of a surrogate pair.", field=field) from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=NumberText,
    parse_int=NumberText,
    parse_constant=_refuse_constant,
)
