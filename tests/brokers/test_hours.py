"""When markets trade: daylight saving, half days, holidays, an operator's word, and what is not known."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest

from brokers.hours import reading
from brokers.hours.markets import AROUND_THE_CLOCK, CALENDAR_MARKETS, MARKETS, market_of
from brokers.hours.reading import CalendarUnavailable, read_calendars
from brokers.hours.sessions import Hours, Session
from brokers.hours.wording import closed_words, moment_words
from desk.config import CHECKOUT

NEW_YORK, TAIPEI = MARKETS["XNYS"], MARKETS["XTAI"]


@pytest.fixture(scope="module")
def calendars() -> dict[str, list[Session]]:
    """The year 2026, read as the desk reads it."""
    return read_calendars(dt.date(2026, 1, 1), dt.date(2026, 12, 31))


@pytest.fixture(scope="module")
def new_york(calendars: dict[str, list[Session]]) -> Hours:
    return Hours(NEW_YORK, calendars["XNYS"])


@pytest.fixture(scope="module")
def taipei(calendars: dict[str, list[Session]]) -> Hours:
    return Hours(TAIPEI, calendars["XTAI"])


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-{text}+00:00")


def test_every_market_with_a_calendar_is_read(calendars: dict[str, list[Session]]) -> None:
    assert set(calendars) == set(CALENDAR_MARKETS) == {"XNYS", "XTAI"}
    assert all(len(sessions) > 240 for sessions in calendars.values())


@pytest.mark.parametrize(
    ("closed_at", "opens_at"),
    [
        ("03-06 21:00", "03-09 13:30"),  # clocks go forward on the 8th: an hour earlier by UTC
        ("10-30 20:00", "11-02 14:30"),  # and back on 1 November: an hour later
        ("11-25 21:00", "11-27 14:30"),  # Thanksgiving
        ("12-24 18:00", "12-28 14:30"),  # Christmas, after a half day
    ],
)
def test_new_york_opens_by_its_own_clock(new_york: Hours, closed_at: str, opens_at: str) -> None:
    before = new_york.session_of(utc(closed_at) - dt.timedelta(microseconds=1))
    assert before is not None and before.closes_at == utc(closed_at)
    assert new_york.is_closed(utc(closed_at)) and not new_york.is_open(utc(closed_at))
    assert new_york.next_open(utc(closed_at)) == utc(opens_at)
    assert new_york.is_open(utc(opens_at)) and not new_york.is_closed(utc(opens_at))
    assert new_york.is_closed(utc(opens_at) - dt.timedelta(microseconds=1))


def test_a_half_day_is_marked_and_ends_early(new_york: Hours) -> None:
    half = new_york.session_of(utc("11-27 15:00"))
    assert half is not None
    assert (half.half_day, half.closes_at) == (True, utc("11-27 18:00"))
    assert new_york.is_closed(utc("11-27 18:00"))
    whole = new_york.session_of(utc("11-30 15:00"))
    assert whole is not None and not whole.half_day


def test_taipei_has_a_zone_without_daylight_saving_and_holidays_of_its_own(taipei: Hours) -> None:
    for day in ("01-05", "07-06"):
        session = taipei.session_of(utc(f"{day} 01:00"))
        assert session is not None
        assert (session.opens_at, session.closes_at) == (utc(f"{day} 01:00"), utc(f"{day} 05:30"))
    assert taipei.next_open(utc("02-11 05:30")) == utc("02-23 01:00")  # the lunar new year


def test_the_last_minutes_of_a_session(new_york: Hours) -> None:
    assert new_york.closes_within(utc("11-27 17:55"), 5)
    assert not new_york.closes_within(utc("11-27 17:54"), 5)
    assert not new_york.closes_within(utc("11-27 18:00"), 5)
    assert not Hours(MARKETS[AROUND_THE_CLOCK]).closes_within(utc("11-27 17:55"), 1e6)


def test_outside_of_what_was_read_a_market_is_neither_open_nor_closed(new_york: Hours) -> None:
    for at in (utc("01-02 14:29"), utc("12-31 21:00"), utc("12-31 21:00") + dt.timedelta(days=400)):
        assert (new_york.is_open(at), new_york.is_closed(at)) == (False, False)
    assert new_york.next_open(utc("12-31 21:00")) is None
    nothing = Hours(NEW_YORK)
    assert (nothing.is_open(utc("11-25 15:00")), nothing.is_closed(utc("11-28 15:00"))) == (False, False)


def test_around_the_clock_never_closes() -> None:
    hours = Hours(MARKETS[AROUND_THE_CLOCK])
    at = utc("11-28 03:00")
    assert hours.is_open(at) and not hours.is_closed(at)
    assert hours.session_of(at) is None and hours.next_open(at) is None


def test_an_operator_closes_a_day_and_opens_another(calendars: dict[str, list[Session]]) -> None:
    saturday = Session(dt.date(2026, 11, 28), utc("11-28 15:00"), utc("11-28 17:00"))
    hours = Hours(NEW_YORK, calendars["XNYS"], {dt.date(2026, 11, 25): None, dt.date(2026, 11, 28): saturday})
    assert hours.is_closed(utc("11-25 15:00"))
    assert hours.next_open(utc("11-24 21:00")) == utc("11-27 14:30")
    assert hours.session_of(utc("11-28 15:00")) == saturday
    assert hours.next_open(utc("11-27 18:00")) == utc("11-28 15:00")
    assert hours.is_closed(utc("11-28 17:00"))


def test_an_operators_word_counts_where_the_calendar_says_nothing() -> None:
    hours = Hours(NEW_YORK, (), {dt.date(2026, 11, 25): None})
    assert hours.is_closed(utc("11-25 15:00"))
    assert hours.is_closed(utc("11-26 04:59")), "it is the 25th in New York"
    assert not hours.is_closed(utc("11-26 05:00"))


@pytest.mark.parametrize(
    ("code", "symbol", "market"),
    [
        ("XNYS", "AAPL", "XNYS"),
        ("XNYS", "BTC/USD", "24/7"),
        ("XTAI", "2330", "XTAI"),
        ("24/7", "AAPL", "24/7"),
    ],
)
def test_a_pair_trades_around_the_clock_in_any_account(code: str, symbol: str, market: str) -> None:
    assert market_of(code, symbol) == market


def test_hours_in_words() -> None:
    assert closed_words(NEW_YORK, utc("11-27 14:30")) == (
        "The New York Stock Exchange is closed; it opens on Friday 2026-11-27 14:30 UTC (09:30 in New York)."
    )
    assert closed_words(TAIPEI, None) == (
        "The Taiwan Stock Exchange is closed; when it opens next is not known."
    )
    assert closed_words(MARKETS[AROUND_THE_CLOCK], utc("11-27 14:30")) == (
        "The broker's market is closed; it opens on Friday 2026-11-27 14:30 UTC."
    )
    assert moment_words(TAIPEI, utc("11-29 23:00")) == "Sunday 2026-11-29 23:00 UTC (Monday 07:00 in Taipei)"


# --- the process that reads ---


def test_a_calendar_that_cannot_be_read_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHECKOUT", CHECKOUT / "docs")  # where there is no such module
    with pytest.raises(CalendarUnavailable, match="brokers"):
        read_calendars(dt.date(2026, 1, 1), dt.date(2026, 2, 1))


def test_days_without_any_session_are_no_answer() -> None:
    with pytest.raises(CalendarUnavailable):
        read_calendars(dt.date(2026, 11, 28), dt.date(2026, 11, 29))


IMPORTED = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
import django
django.setup()
import {module}
print(sorted(name for name in ("pandas", "exchange_calendars") if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("module", "loaded"),
    [
        ("tradingsite.asgi, tradingsite.urls, orders.views.webhook", []),
        ("tasks.sweeps, tradingsite.celery", []),
        (
            "tasks.fleet.preload",
            ["pandas"],
        ),  # that is Alpaca's SDK; it is loaded once, before the workers fork
    ],
)
def test_nobody_loads_the_calendars_to_keep(module: str, loaded: list[str]) -> None:
    command = [sys.executable, "-c", IMPORTED.format(module=module)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().splitlines()[-1] == str(loaded)
