"""``X-Signature: sha256=<hex>``: the HMAC-SHA-256 of the raw body, for clients that can sign."""

from __future__ import annotations

import hashlib
import hmac
import re

MIN_KEY_BYTES = 16

_HEADER = re.compile(r"sha256=([0-9a-fA-F]{64})")


def sign(raw: bytes, key: bytes) -> str:
    """Return the header's value for a body. Raises ValueError where the key is too short to be one."""
    return f"sha256={_digest(raw, key).hex()}"


def verify_signature(header: str | None, raw: bytes, key: bytes) -> bool:
    """Check the header against the raw body, in constant time.

    The digest is made even where the header cannot be right, so that a malformed header takes
    as long as a wrong one. Raises ValueError where the key is too short to be one: an empty key
    would let everybody sign.
    """
    expected = _digest(raw, key)
    match = _HEADER.fullmatch(header or "")
    given = bytes.fromhex(match[1]) if match else bytes(len(expected))
    return hmac.compare_digest(given, expected) and match is not None


def _digest(raw: bytes, key: bytes) -> bytes:
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a signing key has at least {MIN_KEY_BYTES} bytes")
    return hmac.digest(key, raw, hashlib.sha256)
