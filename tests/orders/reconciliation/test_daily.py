"""18:00 and 18:15 by the exchange's clock."""

import datetime as dt

import pytest

from brokers.hours.markets import MARKETS
from brokers.hours.sessions import Hours, Session
from orders.reconciliation import last_mark

NEW_YORK = MARKETS["XNYS"].zone


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, minute, second, tzinfo=NEW_YORK)


WEDNESDAY = Session(dt.date(2026, 11, 25), at(25, 9, 30), at(25, 16))
HALF_FRIDAY = Session(dt.date(2026, 11, 27), at(27, 9, 30), at(27, 13), half_day=True)
HOURS = Hours(MARKETS["XNYS"], [WEDNESDAY, HALF_FRIDAY])


@pytest.mark.parametrize(
    ("now", "mark"),
    [
        (at(25, 17, 59, 59), None),
        (at(25, 18), at(25, 18)),
        (at(25, 18, 14, 59), at(25, 18)),
        (at(25, 18, 15), at(25, 18, 15)),
        (at(26, 10), at(25, 18, 15)),
        (at(26, 18, 20), None),  # Thanksgiving has none of its own
        (at(27, 13, 30), None),
        (at(27, 18, 1), at(27, 18)),  # a half day has
    ],
)
def test_the_last_mark_of_a_market_with_sessions(now: dt.datetime, mark: dt.datetime | None) -> None:
    assert last_mark(HOURS, now.astimezone(dt.UTC)) == mark


def test_a_session_that_ends_later_moves_it() -> None:
    late = Hours(
        MARKETS["XNYS"], [], {dt.date(2026, 11, 25): Session(dt.date(2026, 11, 25), at(25, 9), at(25, 20))}
    )
    assert last_mark(late, at(25, 19)) is None
    assert last_mark(late, at(25, 20)) == at(25, 20)


def test_a_market_that_never_closes_has_them_every_day() -> None:
    now = dt.datetime(2026, 11, 29, 3, tzinfo=dt.UTC)
    assert last_mark(Hours(MARKETS["24/7"]), now) == dt.datetime(2026, 11, 28, 18, 15, tzinfo=dt.UTC)
