from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.intake.freshness import EARLIEST, LATEST, Future, Stale, check_fresh, parse_timestamp

NOW = datetime(2026, 11, 21, 4, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T04:25:00Z", NOW),
        ("2026-11-21t04:25:00z", NOW),
        ("2026-11-21 04:25:00Z", NOW),
        ("2026-11-21T04:25Z", NOW),
        ("2026-11-21T12:25:00+08:00", NOW),
        ("2026-11-20T23:25:00-0500", NOW),
        ("2026-11-21T04:25:00.123456Z", NOW + timedelta(microseconds=123456)),
        ("2026-11-21T04:25:00.123456789Z", NOW + timedelta(microseconds=123456)),
        ("2026-11-21T04:25:00.5Z", NOW + timedelta(milliseconds=500)),
        ("1795235100", NOW),
        ("1795235100.25", NOW + timedelta(milliseconds=250)),
        ("1795235100000", NOW),
        ("1795235100250", NOW + timedelta(milliseconds=250)),
        ("946684800", EARLIEST),
    ],
)
def test_timestamps(text: str, expected: datetime) -> None:
    moment = parse_timestamp(text)
    assert moment == expected
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T04:25:00",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T04:25:60Z",
        "2026-11-21T04:25:00+25:00",
        "04:25:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "1999-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "2026-W47-6T04:25:00Z",
        "20261121T042500Z",
        "2026-11-21T04:25:00Z\n",
        "0",
        "1",
        "-1795235100",
        "1795235100000000",
        "1.7e9",
        "1e309",
        "4102444800",
        "100000000",
        " 1795235100",
        "１７９５２３５１００",
        "2026-11-21T04:25:00 Z",
        "{{timenow}}",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|must) "):
        parse_timestamp(text)


LAST_DAY = LATEST - timedelta(days=1)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(EARLIEST.replace(tzinfo=None), LAST_DAY.replace(tzinfo=None), timezones=st.just(UTC)),
    ZONES,
)
def test_any_moment_in_any_zone_round_trips(moment: datetime, zone: timezone) -> None:
    assert parse_timestamp(moment.astimezone(zone).isoformat()) == moment
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micros = since // timedelta(microseconds=1)
    assert parse_timestamp(f"{micros // 10**6}.{micros % 10**6:06}") == moment
    assert parse_timestamp(str(micros // 1000)) == moment - timedelta(microseconds=micros % 1000)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    try:
        moment = parse_timestamp(text)
    except ValueError:
        return
    assert EARLIEST <= moment < LATEST


def is_fresh(moment: datetime) -> bool:
    try:
        check_fresh(moment, NOW, 60)
    except (Stale, Future):
        return False
    return True


@pytest.mark.parametrize(("age", "fresh"), [(-11, False), (-10, True), (0, True), (60, True), (61, False)])
def test_fresh_at_both_ends(age: int, fresh: bool) -> None:
    assert is_fresh(NOW - timedelta(seconds=age)) is fresh


def test_two_minutes_old_and_one_minute_ahead() -> None:
    with pytest.raises(Stale) as stale:
        check_fresh(NOW - timedelta(minutes=2), NOW, 60)
    assert stale.value.seconds == 120
    check_fresh(NOW - timedelta(minutes=2), NOW, 300)  # as an exit
    with pytest.raises(Future) as future:
        check_fresh(NOW + timedelta(minutes=1), NOW, 300)
    assert future.value.seconds == 60
    with pytest.raises(Stale):
        check_fresh(NOW - timedelta(seconds=60, microseconds=1), NOW, 60)


def test_naive_times_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="aware"):
        check_fresh(NOW.replace(tzinfo=None), NOW, 60)
    with pytest.raises(ValueError, match="aware"):
        check_fresh(NOW, NOW.replace(tzinfo=None), 60)
