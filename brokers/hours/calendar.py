"""The exchange calendars. Whoever imports them has pandas too: 60 MB and half a second.

So they are read in a process of their own, which ends with its answer: ``python -m brokers.hours.calendar FROM UNTIL``
prints the sessions of those days as JSON. No other module imports ``exchange_calendars``.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any

from brokers.hours.markets import CALENDAR_MARKETS
from brokers.hours.sessions import Session


def read_calendar(code: str, first: dt.date, last: dt.date) -> list[Session]:
    """Return a market's sessions of the days from ``first`` to ``last``."""
    import exchange_calendars

    calendar: Any = exchange_calendars.get_calendar(code, start=first.isoformat(), end=last.isoformat())
    odd = set(calendar.early_closes) | set(calendar.late_opens)
    return [
        Session(day.date(), _aware(row["open"]), _aware(row["close"]), half_day=day in odd)
        for day, row in calendar.schedule.iterrows()
    ]


def _aware(stamp: Any) -> dt.datetime:
    moment: dt.datetime = stamp.to_pydatetime()
    return moment.astimezone(dt.UTC)


def _print_calendars(first: dt.date, last: dt.date) -> None:
    read = {code: read_calendar(code, first, last) for code in CALENDAR_MARKETS}
    rows = {code: [_row(session) for session in sessions] for code, sessions in read.items()}
    sys.stdout.write(json.dumps(rows))


def _row(session: Session) -> list[Any]:
    opens_at, closes_at = session.opens_at.isoformat(), session.closes_at.isoformat()
    return [session.day.isoformat(), opens_at, closes_at, session.half_day]


if __name__ == "__main__":
    _print_calendars(*map(dt.date.fromisoformat, sys.argv[1:3]))
