"""When the market is open: always, or in the sessions of the New York Stock Exchange."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

NEW_YORK = "America/New_York"


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day with its opening and closing time (aware UTC)."""

    day: date
    opens_at: datetime
    closes_at: datetime


class MarketHours(Protocol):
    """A source of sessions."""

    zone_name: str
    is_always_open: bool

    def is_open(self, at: datetime) -> bool:
        """Tell whether the market trades at a moment."""

    def next_open(self, at: datetime) -> datetime:
        """Return the first opening after a moment."""

    def next_close(self, at: datetime) -> datetime:
        """Return the first closing after a moment."""

    def sessions(self, start: date, end: date) -> list[Session]:
        """List the sessions of the days from start to end, both included."""


class AlwaysOpen:
    """A market that never closes by itself; its days run from midnight to midnight UTC."""

    zone_name = "UTC"
    is_always_open = True

    def is_open(self, at: datetime) -> bool:
        """Tell whether the market trades at a moment: it does."""
        return True

    def next_open(self, at: datetime) -> datetime:
        """Return the beginning of the next day."""
        return _midnight(at.astimezone(UTC).date() + timedelta(days=1))

    def next_close(self, at: datetime) -> datetime:
        """Return the end of the day."""
        return self.next_open(at)

    def sessions(self, start: date, end: date) -> list[Session]:
        """List every day."""
        days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        return [
            Session(day, _midnight(day), _midnight(day) + timedelta(hours=23, minutes=59)) for day in days
        ]


class ExchangeHours:
    """The sessions of XNYS with its holidays and early closes."""

    zone_name = NEW_YORK
    is_always_open = False

    def __init__(self) -> None:
        # pandas comes with it: a second and 100 MB that only this mode should pay.
        import exchange_calendars

        self._calendar: Any = exchange_calendars.get_calendar("XNYS")

    def is_open(self, at: datetime) -> bool:
        """Tell whether a regular session is running."""
        return bool(self._calendar.is_open_at_time(self._minute(at), side="left"))

    def next_open(self, at: datetime) -> datetime:
        """Return the next regular opening."""
        return _aware(self._calendar.next_open(self._minute(at)))

    def next_close(self, at: datetime) -> datetime:
        """Return the next regular or early close."""
        return _aware(self._calendar.next_close(self._minute(at)))

    def sessions(self, start: date, end: date) -> list[Session]:
        """List the trading days of a range, cut to the years that the calendar knows."""
        first = max(start, self._calendar.first_session.date())
        last = min(end, self._calendar.last_session.date())
        if first > last:
            return []
        rows = self._calendar.schedule.loc[first.isoformat() : last.isoformat()]
        return [
            Session(day.date(), _aware(row["open"]), _aware(row["close"])) for day, row in rows.iterrows()
        ]

    @staticmethod
    def _minute(at: datetime) -> Any:
        import pandas

        return pandas.Timestamp(at).floor("min")


@dataclass(frozen=True, slots=True)
class PlannedHours:
    """A state that somebody ordered, and the moments at which it ends; without them it stays.

    Open until ``closes_at`` and again from ``opens_at`` on, or the other way round, whichever comes first.
    Times that are not ordered are those of the hours that it stands in for.
    """

    base: MarketHours
    starts_open: bool
    opens_at: datetime | None = None
    closes_at: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        """Tell whether the market trades at a moment."""
        turns = [(self.opens_at, True), (self.closes_at, False)]
        passed = [(moment, state) for moment, state in turns if moment is not None and moment <= at]
        return max(passed)[1] if passed else self.starts_open

    def next_open(self, at: datetime) -> datetime:
        """Return the ordered opening while it is to come."""
        return self.opens_at if self.opens_at is not None and self.opens_at > at else self.base.next_open(at)

    def next_close(self, at: datetime) -> datetime:
        """Return the ordered closing while it is to come."""
        return (
            self.closes_at if self.closes_at is not None and self.closes_at > at else self.base.next_close(at)
        )


def market_hours(kind: str) -> MarketHours:
    """Return the hours that a setting names: ``always`` or ``exchange``."""
    return ExchangeHours() if kind == "exchange" else AlwaysOpen()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)


def _aware(stamp: Any) -> datetime:
    moment: datetime = stamp.to_pydatetime()
    return moment.astimezone(UTC)
