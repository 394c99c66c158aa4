"""The comparings of each day by the exchange's clock: for late fills, then for positions."""

from __future__ import annotations

import datetime as dt

from brokers.hours.sessions import Hours

LATE_FILLS = dt.time(18, 0)
POSITIONS = dt.time(18, 15)


def last_mark(hours: Hours, now: dt.datetime) -> dt.datetime | None:
    """Return the last of these moments that has passed, within a day; None where there was none.

    On the days on which the market trades, half days too; a market that never closes has them every day. Where a
    session ends only later, its end is the moment.
    """
    today = now.astimezone(hours.market.zone).date()
    marks = [
        mark
        for day in (today - dt.timedelta(days=1), today)
        for mark in _marks_of(hours, day)
        if now - dt.timedelta(days=1) < mark <= now
    ]
    return max(marks, default=None)


def _marks_of(hours: Hours, day: dt.date) -> list[dt.datetime]:
    at = [dt.datetime.combine(day, time, hours.market.zone) for time in (LATE_FILLS, POSITIONS)]
    if hours.market.never_closes:
        return at
    closes_at = next((session.closes_at for session in hours.sessions if session.day == day), None)
    return [] if closes_at is None else [max(mark, closes_at) for mark in at]
