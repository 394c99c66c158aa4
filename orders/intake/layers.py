"""The four layers that every alert passes, in order: token, timestamp, secret or signature, replay.

The fourth is the unique key that the recording transaction writes: ``orders/services/intake.py``.
"""

import datetime as dt
import hmac
from hashlib import sha256

import structlog
from django.conf import settings

from brokers.vault.binding import signing_binding
from brokers.vault.open_signing import open_signing_key
from brokers.vault.record import VaultError
from orders.intake.alert import Alert
from orders.intake.freshness import Future, Stale, check_fresh
from orders.intake.problem import Problem, ProblemError, ProblemType, unauthorized
from orders.intake.signature import verify_signature
from orders.models import Strategy

log = structlog.get_logger(__name__)

NOBODYS_DIGEST = bytes(32)


def pass_layers(
    strategy: Strategy | None, alert: Alert, *, raw: bytes, signature: str | None, now: dt.datetime
) -> Strategy:
    """Check the first three layers; return the strategy that the token names.

    An unknown token takes the same way to the same answer as a wrong secret. Raises ``ProblemError``.
    """
    check_timestamp(alert, now)
    if strategy is None:
        hmac.compare_digest(digest_of(alert.secret or ""), NOBODYS_DIGEST)
        raise ProblemError(unauthorized())
    authentic = (
        _signature_fits(strategy, raw, signature) if signature is not None else _secret_fits(strategy, alert)
    )
    if not authentic:
        raise ProblemError(unauthorized())
    return strategy


def check_timestamp(alert: Alert, now: dt.datetime) -> None:
    """Refuse an alert that is too old or from the future; an exit stays fresh for longer than an entry."""
    max_age = settings.WEBHOOK_EXIT_MAX_AGE_SECONDS if alert.is_exit else settings.WEBHOOK_MAX_AGE_SECONDS
    try:
        check_fresh(alert.timestamp, now, max_age, settings.WEBHOOK_MAX_AHEAD_SECONDS)
    except Stale as error:
        detail = f"The alert is {error.seconds:.0f} s old; at most {max_age} s are allowed."
        raise ProblemError(Problem(ProblemType.STALE, detail)) from None
    except Future as error:
        detail = f"The alert's time is {error.seconds:.0f} s ahead of the desk's clock."
        raise ProblemError(Problem(ProblemType.FUTURE, detail)) from None


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 of a secret of ours: 256 random bits need no slow hash."""
    return sha256(secret.encode()).digest()


def _secret_fits(strategy: Strategy, alert: Alert) -> bool:
    return hmac.compare_digest(digest_of(alert.secret or ""), bytes(strategy.secret_digest))


def _signature_fits(strategy: Strategy, raw: bytes, signature: str) -> bool:
    if not strategy.sealed_signing_key:
        return False
    try:
        key = open_signing_key(strategy.sealed_signing_key, signing_binding(strategy.user_id, strategy.id))
    except VaultError as error:
        log.error("signing key not opened", strategy=str(strategy.id), error=str(error))
        return False
    return verify_signature(signature, raw, key)
