"""API keys: how they are made, kept and checked."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from uuid import UUID

from venue.db import Pool
from venue.errors import unauthorized

_KEY_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


def new_key_id() -> str:
    """Return a key id in the form of a paper key: ``PK`` and 18 letters or digits."""
    return "PK" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(18))


def new_secret() -> str:
    """Return a secret of 40 characters (238 bits)."""
    return "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))


def hash_secret(secret: str) -> bytes:
    """Hash a secret for keeping; a plain digest is enough because the secret is random, not chosen."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def same_secret(given: str, expected: str) -> bool:
    """Compare two secrets in constant time, whatever characters they hold."""
    return hmac.compare_digest(given.encode(), expected.encode())


class Credentials:
    """Resolve API keys to accounts, keeping what was looked up; keys are never changed once made."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[str, tuple[UUID, bytes]] = {}

    async def authenticate(self, key_id: str, secret: str) -> UUID:
        """Return the account of a key pair; raises ``unauthorized`` for an unknown key or a wrong secret."""
        entry = self._known.get(key_id) or await self._look_up(key_id)
        expected = entry[1] if entry else b"\0" * 32
        if not hmac.compare_digest(hash_secret(secret), expected) or entry is None:
            raise unauthorized()
        return entry[0]

    async def _look_up(self, key_id: str) -> tuple[UUID, bytes] | None:
        if not key_id.isalnum() or not key_id.isascii():
            return None
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT id, secret_hash FROM account WHERE key_id = %s", (key_id,)
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        self._known[key_id] = (row[0], bytes(row[1]))
        return self._known[key_id]
