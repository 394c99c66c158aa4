"""Make and revoke the keys with which a trader's programs sign in to the API."""

from __future__ import annotations

import secrets
import string
import uuid
from hashlib import sha256

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from orders.models import ApiKey

_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 43  # of 62 characters each: 256 bits


def create_api_key(*, user: AbstractBaseUser, label: str) -> tuple[ApiKey, str]:
    """Make a key for the user; return its row and its text ``tsk_<prefix>_<secret>``.

    The text is not kept: it is shown now or never. Every call makes another key.
    """
    key, text = new_api_key(user=user, label=label)
    key.save(force_insert=True)
    return key, text


def new_api_key(*, user: AbstractBaseUser, label: str) -> tuple[ApiKey, str]:
    """Return a key's unsaved row and its text, for callers that save many at once."""
    prefix = f"tsk_{_random(_PREFIX_LENGTH)}"
    text = f"{prefix}_{_random(_SECRET_LENGTH)}"
    return ApiKey(user_id=user.pk, label=label, prefix=prefix, digest=api_key_digest(text)), text


def revoke_api_key(*, user: AbstractBaseUser, key_id: uuid.UUID) -> ApiKey:
    """Refuse the key from now on; revoking a revoked key changes nothing.

    Raises ``ApiKey.DoesNotExist`` where the user has none of this id.
    """
    key = ApiKey.objects.get(pk=key_id, user=user.pk)
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    return key


def api_key_digest(text: str) -> bytes:
    """Return what is kept of a key: its SHA-256. 256 random bits need no slow hash."""
    return sha256(text.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
