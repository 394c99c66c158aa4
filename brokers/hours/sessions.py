"""The sessions of one market, and what they say about a moment. Pure.

Two questions are kept apart: whether a market is *open*, and whether it is *closed*. Outside the days that the
calendar was read for neither is known, and both answers are no: what is not known closes nothing and triggers nothing.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from brokers.hours.markets import Market


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day of a market: its date there, and when it opens and closes (aware UTC)."""

    day: dt.date
    opens_at: dt.datetime
    closes_at: dt.datetime
    half_day: bool = False


class Hours:
    """When one market trades, as far as that is known.

    ``sessions`` are the calendar's, and what lies between the first and the last of them is known. ``overrides`` maps
    a date to the session that an operator has announced for it, or to None for a day that stays closed.
    """

    def __init__(
        self,
        market: Market,
        sessions: Iterable[Session] = (),
        overrides: Mapping[dt.date, Session | None] | None = None,
    ) -> None:
        calendar = sorted(sessions, key=lambda session: session.opens_at)
        overrides = overrides or {}
        kept = [session for session in calendar if session.day not in overrides]
        added = [session for session in overrides.values() if session is not None]
        self.market = market
        self.sessions = tuple(sorted([*kept, *added], key=lambda session: session.opens_at))
        self.known_from = calendar[0].opens_at if calendar else None
        self.known_until = calendar[-1].closes_at if calendar else None
        self._overridden = frozenset(overrides)
        self._openings = [session.opens_at for session in self.sessions]

    def is_open(self, at: dt.datetime) -> bool:
        """Say whether the market is known to trade at that moment."""
        return self.market.never_closes or self.session_of(at) is not None

    def is_closed(self, at: dt.datetime) -> bool:
        """Say whether the market is known not to trade at that moment."""
        return not self.is_open(at) and self._is_known(at)

    def session_of(self, at: dt.datetime) -> Session | None:
        """Return the session that runs at that moment; None where none does, and for a market that never closes."""
        index = bisect_right(self._openings, at) - 1
        session = self.sessions[index] if index >= 0 else None
        return session if session is not None and at < session.closes_at else None

    def next_open(self, at: dt.datetime) -> dt.datetime | None:
        """Return the first opening after that moment; None where none is known, and for a market that never closes."""
        index = bisect_right(self._openings, at)
        return self._openings[index] if index < len(self._openings) else None

    def closes_within(self, at: dt.datetime, minutes: float) -> bool:
        """Say whether the session that runs at that moment ends within so many minutes."""
        session = self.session_of(at)
        return session is not None and session.closes_at - at <= dt.timedelta(minutes=minutes)

    def _is_known(self, at: dt.datetime) -> bool:
        if at.astimezone(self.market.zone).date() in self._overridden:
            return True
        return (
            self.known_from is not None
            and self.known_until is not None
            and self.known_from <= at < self.known_until
        )
