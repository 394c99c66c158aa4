"""Hours in words: in UTC, and by the exchange's own clock."""

from __future__ import annotations

import datetime as dt

from brokers.hours.markets import Market


def closed_words(market: Market, next_open: dt.datetime | None) -> str:
    """Say that a market is closed, and when it opens.

    Where the desk knows the market as one that never closes, it is the broker that says so.
    """
    subject = "The broker's market" if market.never_closes else f"The {market.title}"
    if next_open is None:
        return f"{subject} is closed; when it opens next is not known."
    return f"{subject} is closed; it opens on {moment_words(market, next_open)}."


def moment_words(market: Market, at: dt.datetime) -> str:
    """Write a moment like ``Monday 2026-11-23 14:30 UTC (09:30 in New York)``; the day is UTC's.

    Where it is another day at the exchange, that day is named too.
    """
    utc, there = at.astimezone(dt.UTC), at.astimezone(market.zone)
    words = f"{utc:%A %Y-%m-%d %H:%M} UTC"
    if market.never_closes:
        return words
    local = f"{there:%H:%M}" if there.date() == utc.date() else f"{there:%A %H:%M}"
    return f"{words} ({local} in {market.place})"
