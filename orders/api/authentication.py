"""Who sends a request to the API: a program with a key, or a person's browser with a session."""

from __future__ import annotations

import re

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from orders.models import ApiKey
from orders.services.api_keys import api_key_digest

_KEY_FORM = re.compile(r"tsk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}")
_SCHEMES = ("bearer", "api-key")


class ApiKeyAuthentication(BaseAuthentication):
    """A key in ``Authorization: Bearer``, ``Authorization: Api-Key`` or ``X-API-Key``.

    The key is found by its digest, which is unique: one query, and nothing to compare byte by byte.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiKey] | None:
        """Return the key's user and the key; None where the request carries no key.

        Raises ``AuthenticationFailed`` for a key that is unknown or revoked, or whose user is not active.
        """
        text = _key_of(request)
        if text is None:
            return None
        key = _find(text) if _KEY_FORM.fullmatch(text) else None
        if key is None:
            raise AuthenticationFailed("The API key is not valid.")
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that a 401 carries (RFC 6750)."""
        challenge = 'Bearer realm="tradingsite"'
        return challenge if _key_of(request) is None else f'{challenge}, error="invalid_token"'


def _find(text: str) -> ApiKey | None:
    keys = ApiKey.objects.select_related("user__trader__plan")
    return keys.filter(digest=api_key_digest(text), revoked_at__isnull=True, user__is_active=True).first()


def _key_of(request: Request) -> str | None:
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() in _SCHEMES:
        return rest.strip()
    return request.headers.get("X-API-Key")
