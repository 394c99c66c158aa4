"""The kept hours: read from the calendars, overruled by an operator, missed when they run out."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from brokers.hours.reading import CalendarUnavailable
from brokers.hours.sessions import Session
from failpoints import listening
from orders import hours
from orders.hours import hours_of
from orders.models import AttentionItem, MarketOverride, MarketSession
from orders.services import market_hours
from orders.services.market_hours import (
    delete_override,
    refresh_market_hours,
    save_override,
    watch_market_hours,
)
from tasks import sweeps

if TYPE_CHECKING:
    from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks

pytestmark = pytest.mark.django_db

Calendars = dict[str, list[Session]]


def weekdays(first: dt.date, last: dt.date, opens: dt.time, closes: dt.time) -> list[Session]:
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    return [
        Session(day, dt.datetime.combine(day, opens, dt.UTC), dt.datetime.combine(day, closes, dt.UTC))
        for day in days
        if day.weekday() < 5
    ]


@pytest.fixture
def calendars(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dt.date, dt.date]]:
    """Stand in for the exchange calendars; the list is of the days that they were asked for."""
    asked: list[tuple[dt.date, dt.date]] = []

    def read(first: dt.date, last: dt.date) -> Calendars:
        asked.append((first, last))
        return {
            "XNYS": weekdays(first, last, dt.time(14, 30), dt.time(21)),
            "XTAI": weekdays(first, last, dt.time(1), dt.time(5, 30)),
        }

    monkeypatch.setattr(market_hours, "read_calendars", read)
    return asked


def next_weekday(after: dt.date) -> dt.date:
    days = (after + dt.timedelta(days=n) for n in range(1, 4))
    return next(day for day in days if day.weekday() < 5)


def test_the_hours_of_weeks_back_and_a_year_ahead_are_kept(calendars: list[tuple[dt.date, dt.date]]) -> None:
    assert refresh_market_hours() == {
        code: MarketSession.objects.filter(market=code).count() for code in ("XNYS", "XTAI")
    }
    (first, last), today = calendars[0], timezone.now().date()
    assert first <= today - dt.timedelta(weeks=4) and last >= today + dt.timedelta(days=365)
    taipei = hours_of("XTAI")
    assert taipei.sessions[0].opens_at.time() == dt.time(1)
    assert taipei.next_open(timezone.now()) is not None


def test_the_sweep_reads_once_a_day_however_often_it_runs(calendars: list[tuple[dt.date, dt.date]]) -> None:
    sweeps.market_hours()
    sweeps.market_hours()
    assert len(calendars) == 1
    MarketSession.objects.filter(market="XTAI").update(refreshed_at=timezone.now() - dt.timedelta(hours=25))
    sweeps.market_hours()
    sweeps.market_hours()
    assert len(calendars) == 2
    assert MarketSession.objects.values("market", "day").distinct().count() == MarketSession.objects.count()


def test_a_day_that_the_calendar_has_no_more_is_gone(calendars: list[tuple[dt.date, dt.date]]) -> None:
    refresh_market_hours()
    saturday = next(
        day for n in range(7) if (day := timezone.now().date() + dt.timedelta(days=n)).weekday() == 5
    )
    at = dt.datetime.combine(saturday, dt.time(15), dt.UTC)
    MarketSession.objects.create(
        market="XNYS",
        day=saturday,
        opens_at=at,
        closes_at=at + dt.timedelta(hours=1),
        refreshed_at=timezone.now(),
    )
    refresh_market_hours()
    assert not MarketSession.objects.filter(day=saturday).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_writes_and_the_other_leaves_it_be(
    calendars: list[tuple[dt.date, dt.date]],
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    first: list[object] = []

    def hold(point: str) -> None:
        if point == "hours.before_commit":
            writing.set()
            assert go_on.wait(20)

    def write() -> None:
        with listening(hold):
            first.append(refresh_market_hours())
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert writing.wait(20)
        assert refresh_market_hours() is None
        assert not MarketSession.objects.exists(), "what the other has not committed is seen"
    finally:
        go_on.set()
        thread.join(20)
    assert first[0]
    assert MarketSession.objects.values("market", "day").distinct().count() == MarketSession.objects.count()


# --- an operator's word ---


@pytest.fixture
def operator() -> User:
    return User.objects.create(username="operator")


def test_a_closure_announced_late_counts_at_once_here(
    calendars: list[tuple[dt.date, dt.date]],
    operator: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    refresh_market_hours()
    day = next_weekday(timezone.now().date())
    noon = dt.datetime.combine(day, dt.time(17), dt.UTC)
    assert hours_of("XNYS").is_open(noon)
    closed = MarketOverride(market="XNYS", day=day, closed=True, reason="mourning", set_by=operator)
    with django_capture_on_commit_callbacks(execute=True):
        save_override(closed)
    assert hours_of("XNYS").is_closed(noon)
    assert not hours_of("XTAI").is_closed(dt.datetime.combine(day, dt.time(2), dt.UTC))
    with django_capture_on_commit_callbacks(execute=True):
        delete_override(closed)
    assert hours_of("XNYS").is_open(noon)


def test_an_operators_hours_are_the_exchanges_own_clock(operator: User) -> None:
    """09:30 in New York is another time by UTC in summer than in winter."""
    for day in (dt.date(2026, 7, 4), dt.date(2026, 11, 28)):
        MarketOverride.objects.create(
            market="XNYS",
            day=day,
            opens=dt.time(9, 30),
            closes=dt.time(13),
            reason="a session on a Saturday",
            set_by=operator,
        )
    opens_at = [session.opens_at for session in hours_of("XNYS").sessions]
    assert opens_at == [
        dt.datetime(2026, 7, 4, 13, 30, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 28, 14, 30, tzinfo=dt.UTC),
    ]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"closed": True, "opens": dt.time(9), "closes": dt.time(10)},
        {"opens": dt.time(9)},
        {"opens": dt.time(9), "closes": dt.time(9)},
    ],
)
def test_an_override_says_closed_or_both_hours(operator: User, said: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="closed_or_hours"), transaction.atomic():
        MarketOverride.objects.create(
            market="XNYS", day=dt.date(2026, 7, 4), reason="r", set_by=operator, **said
        )


def test_another_process_learns_of_changes_in_time(
    calendars: list[tuple[dt.date, dt.date]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hours.KEPT_SECONDS <= 60
    monkeypatch.setattr(hours, "KEPT_SECONDS", 0.3)
    at = timezone.now()
    assert hours_of("XNYS").next_open(at) is None
    market_hours._write_sessions(market_hours.read_calendars(at.date(), at.date() + dt.timedelta(days=9)))
    assert hours_of("XNYS").next_open(at) is None, "it was read a moment ago"
    time.sleep(0.3)
    assert hours_of("XNYS").next_open(at) is not None


# --- when hours run out ---


def test_hours_that_run_out_are_an_alarm_until_they_are_known_again(
    calendars: list[tuple[dt.date, dt.date]],
) -> None:
    assert watch_market_hours() == ["XNYS", "XTAI"]
    assert watch_market_hours() == ["XNYS", "XTAI"]
    item = AttentionItem.objects.get(kind=AttentionItem.Kind.MARKET_HOURS_MISSING)
    assert "New York Stock Exchange: no hours are known" in item.detail
    refresh_market_hours()
    assert watch_market_hours() == []
    item.refresh_from_db()
    assert item.resolved_at is not None
    soon = timezone.now() + dt.timedelta(days=20)
    MarketSession.objects.filter(market="XTAI", closes_at__gt=soon).delete()
    assert watch_market_hours() == ["XTAI"]
    detail = AttentionItem.objects.get(resolved_at=None).detail
    assert detail.startswith("Taiwan Stock Exchange: hours are known until")


def test_calendars_that_cannot_be_read_fail_the_sweep_and_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(first: dt.date, last: dt.date) -> Calendars:
        raise CalendarUnavailable("no such module")

    monkeypatch.setattr(market_hours, "read_calendars", fail)
    with pytest.raises(CalendarUnavailable):
        sweeps.market_hours()
    assert AttentionItem.objects.filter(kind=AttentionItem.Kind.MARKET_HOURS_MISSING).exists()
    with pytest.raises(CommandError, match="no such module"):
        call_command("refresh_market_hours")


def test_the_command_reads_the_real_calendars(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("refresh_market_hours")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == ["XNYS", "XTAI"]
    assert watch_market_hours() == []
    assert MarketSession.objects.filter(market="XNYS", half_day=True).exists()
