"""When an alert was said, and whether that is recent enough to act on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

# Whole days that no alert of ours can lie outside of; they also tell seconds from milliseconds.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_TEXT = re.compile(r"[0-9]{9,13}(?:\.[0-9]{1,9})?")
_ISO_TEXT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_MILLISECONDS_FROM = Decimal(10) ** 11  # as seconds this is the year 5138


class NotFresh(Exception):
    """The timestamp is outside the window; ``seconds`` is the distance from now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} seconds from now")
        self.seconds = seconds


class Stale(NotFresh):
    """The alert is too old."""


class Future(NotFresh):
    """The alert claims to come from the future: a clock is wrong, or somebody is storing it up."""


def parse_timestamp(text: str) -> datetime:
    """Read ISO 8601 with a zone, or epoch seconds or milliseconds, as aware UTC.

    Digits past the microsecond are cut off. Raises ValueError, with a message for the sender.
    """
    moment = _from_epoch(Decimal(text)) if _EPOCH_TEXT.fullmatch(text) else _from_iso(text)
    if not EARLIEST <= moment < LATEST:
        raise ValueError("is not in this century")
    return moment


def check_fresh(
    timestamp: datetime, now: datetime, max_age_seconds: float, max_ahead_seconds: float = 10
) -> None:
    """Check that ``timestamp`` lies in the window around ``now``, both ends included.

    Raises ``Stale`` or ``Future``; ValueError where a time carries no zone.
    """
    if timestamp.tzinfo is None or now.tzinfo is None:
        raise ValueError("check_fresh needs aware times")
    age = (now - timestamp).total_seconds()
    if age > max_age_seconds:
        raise Stale(age)
    if -age > max_ahead_seconds:
        raise Future(-age)


def _from_epoch(number: Decimal) -> datetime:
    scale = 1_000 if number >= _MILLISECONDS_FROM else 1_000_000
    return _EPOCH + timedelta(microseconds=int(number * scale))


def _from_iso(text: str) -> datetime:
    match = _ISO_TEXT.fullmatch(text)
    if match is None:
        raise ValueError("is neither ISO 8601 nor epoch seconds or milliseconds")
    if match[1] is None:
        raise ValueError("must carry a zone, as in 2026-11-21T04:25:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time that exists") from None
