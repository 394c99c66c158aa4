"""Keep one account's requests under the broker's published limit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from brokers.errors import RateLimited

WINDOW_SECONDS = 60.0


class Pace:
    """A sliding window of the last minute's requests; it refuses and never sleeps.

    A window instead of a bucket: a bucket that lets ``n`` through at once and refills at ``n`` a
    minute lets almost ``2n`` through in its worst minute. A fifth is kept for commands, so that
    look-ups cannot stand in an exit's way.
    """

    def __init__(
        self,
        requests_per_minute: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = requests_per_minute
        self._read_limit = 0 if requests_per_minute is None else max(1, requests_per_minute * 4 // 5)
        self._clock = clock
        self._sent: deque[float] = deque()
        self._lock = Lock()

    def take(self, *, is_command: bool) -> None:
        """Count one request that is about to go out; raises ``RateLimited`` where it may not."""
        if self._limit is None:
            return
        allowed = self._limit if is_command else self._read_limit
        with self._lock:
            now = self._clock()
            while self._sent and self._sent[0] <= now - WINDOW_SECONDS:
                self._sent.popleft()
            if len(self._sent) < allowed:
                self._sent.append(now)
                return
            # Free as soon as so many have left the window that one more is under the limit.
            frees_up = self._sent[len(self._sent) - allowed] + WINDOW_SECONDS
        # A millisecond more, so that rounding cannot make the promised time a moment too early.
        wait_seconds = frees_up - now + 0.001
        raise RateLimited("held back by our own pace", retry_after_seconds=wait_seconds)
