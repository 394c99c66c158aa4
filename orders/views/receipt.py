"""When a request reached this process: what the sender's patience is counted from."""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest
from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Receipt:
    """The moment of receipt, by the wall clock and by the clock that nobody sets."""

    at: dt.datetime
    monotonic: float

    @classmethod
    def now(cls) -> Self:
        return cls(timezone.now(), time.monotonic())

    @classmethod
    def of(cls, request: HttpRequest) -> "Receipt":
        """Return the request's receipt, noted by ``tradingsite.asgi`` before anything was read or queued."""
        receipt: Receipt | None = getattr(request, "scope", {}).get("receipt")
        return receipt or cls.now()


class Budget:
    """How long the sender waits, counted from the receipt of the request."""

    def __init__(self, seconds: float, receipt: Receipt) -> None:
        self.seconds = seconds
        self.received_at = receipt.at
        self._end = receipt.monotonic + seconds

    @property
    def left_seconds(self) -> float:
        return max(self._end - time.monotonic(), 0.0)

    @property
    def left_ms(self) -> int:
        return int(self.left_seconds * 1000)
