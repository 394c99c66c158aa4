"""Alerts sent and timed: one after the other, some traders side by side, or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from threading import Barrier

from django.conf import settings

from orders.services.provisioning import NewTrader
from tradingsite.desk_client import DeskClient, timenow

_numbers = count(1)


class UnexpectedAnswer(Exception):
    """The desk answered an alert with something else than an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One alert; ``ms`` is from before its first byte is sent until its answer is read, by the client."""

    order_id: str
    sent_at: datetime
    ms: float
    filled: bool


class Line:
    """One trader's connection to the desk; for one thread."""

    def __init__(self, trader: NewTrader, url: str) -> None:
        self.trader = trader
        self._client = DeskClient(url, settings.BASE_URL)

    def send(self) -> Sample:
        """Send one alert that buys one share. Raises ``UnexpectedAnswer`` unless it is 200 or 202."""
        body = {
            "secret": self.trader.secret,
            "action": "buy",
            "ticker": "NASDAQ:AAPL",
            "quantity": "1",
            "timenow": timenow(),
            "id": f"bench|{next(_numbers)}",
        }
        answer = self._client.send_alert(self.trader.webhook_path, body)
        if answer.status not in (200, 202):
            raise UnexpectedAnswer(f"HTTP {answer.status}: {answer.raw[:300].decode(errors='replace')}")
        order = answer.body
        return Sample(
            order_id=order["id"],
            sent_at=answer.sent_at,
            ms=answer.ms,
            filled=answer.status == 200 and order["ord_status"] == "FILLED",
        )

    def close(self) -> None:
        self._client.close()


def one_after_the_other(line: Line, alerts: int) -> list[Sample]:
    """Send alerts, each when the one before it was answered."""
    return [line.send() for _ in range(alerts)]


def side_by_side(lines: Sequence[Line], alerts_each: int) -> list[Sample]:
    """Let every trader send one after the other, all traders at the same time."""
    start = Barrier(len(lines))

    def run(line: Line) -> list[Sample]:
        start.wait()
        return one_after_the_other(line, alerts_each)

    with ThreadPoolExecutor(len(lines)) as threads:
        return [sample for samples in threads.map(run, lines) for sample in samples]
