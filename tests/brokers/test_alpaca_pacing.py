from __future__ import annotations

import pytest

from brokers.alpaca.pacing import Pace
from brokers.errors import RateLimited


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_never_more_than_the_limit_in_any_minute() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock)
    sent: list[float] = []
    for step in range(2000):
        clock.now = 1000.0 + step / 10
        try:
            pace.take(is_command=True)
        except RateLimited as refusal:
            assert 0 < refusal.retry_after_seconds < 60.01
            continue
        sent.append(clock.now)
    assert all(sum(1 for other in sent if 0 <= other - one < 60) <= 10 for one in sent)
    assert len(sent) == 40


def test_waiting_as_told_is_enough() -> None:
    clock = Clock()
    pace = Pace(3, clock=clock)
    for _ in range(3):
        pace.take(is_command=True)
        clock.now += 1
    with pytest.raises(RateLimited) as caught:
        pace.take(is_command=True)
    clock.now += caught.value.retry_after_seconds
    pace.take(is_command=True)


def test_reads_leave_room_for_commands() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock)
    for _ in range(8):
        pace.take(is_command=False)
    with pytest.raises(RateLimited) as caught:
        pace.take(is_command=False)
    pace.take(is_command=True)
    pace.take(is_command=True)
    with pytest.raises(RateLimited):
        pace.take(is_command=True)
    clock.now += caught.value.retry_after_seconds
    pace.take(is_command=False)


def test_no_limit() -> None:
    pace = Pace(None)
    for _ in range(1000):
        pace.take(is_command=False)
