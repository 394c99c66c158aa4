"""The replay key: what makes two requests the same alert."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from orders.intake.strict_json import JsonValue, NumberText

# Not part of what an alert says: rotating the secret must not make an old alert a new one.
_EXCLUDED = frozenset({"secret"})


def replay_key(alert_id: str | None, body: Mapping[str, JsonValue]) -> str:
    """Return the key that is unique per strategy: ``id:…`` or ``sha256:…``, at most 203 characters.

    Without an id the canonical body counts, so key order and white space make no difference.
    """
    if alert_id is not None:
        return f"id:{alert_id}"
    return f"sha256:{body_digest(body)}"


def body_digest(body: Mapping[str, JsonValue]) -> str:
    """Return the hex SHA-256 of the canonical body without its secret."""
    return hashlib.sha256(canonical_json(body).encode("utf-8")).hexdigest()


def canonical_json(body: Mapping[str, JsonValue]) -> str:
    """Write a body in one way only: RFC 8785, but with numbers as they were sent.

    Keys are sorted by their UTF-16 code units (RFC 8785, 3.2.3). RFC 8785 would pass numbers
    through a double; here ``1.0`` and ``1`` stay two texts.
    """
    return _write({name: value for name, value in body.items() if name not in _EXCLUDED})


def _write(value: JsonValue) -> str:
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_quote(name)}:{_write(member)}" for name, member in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    return _quote(value)


def _quote(value: str | bool | None) -> str:
    return json.dumps(value, ensure_ascii=False)
