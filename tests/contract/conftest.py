from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from brokers.base import BrokerAdapter, Stream
from brokers.types import ExecType, ExecutionReport
from tests.contract.rigs import PaperRig, Rig
from tests.fixtures.venue_process import VenueProcess
from tests.fixtures.venues import venue

__all__ = ["venue"]

# A new adapter joins the suite here; a test holds the registry against it.
RIGGED_BROKERS = ("paper",)
_symbols = (f"CT{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_numbers = count(1)
WAIT_SECONDS = 10.0


@pytest.fixture(params=RIGGED_BROKERS)
def rig(request: pytest.FixtureRequest, venue: VenueProcess) -> Rig:
    return {"paper": PaperRig}[request.param](venue, next(_symbols))


@pytest.fixture
def adapter(rig: Rig) -> Iterator[BrokerAdapter]:
    adapter = rig.open_adapter()
    yield adapter
    adapter.close()


@pytest.fixture
def new_id() -> Callable[[], str]:
    return lambda: f"contract-{os.getpid()}-{next(_numbers)}"


@dataclass
class Listener:
    """Everything that a stream has told, in its order; a gap is None."""

    told: queue.Queue[ExecutionReport | None] = field(default_factory=queue.Queue)
    stream: Stream | None = None

    def next(self) -> ExecutionReport | None:
        return self.told.get(timeout=WAIT_SECONDS)

    def trades(self, number: int) -> list[ExecutionReport]:
        """Wait for so many trades; other reports are passed over."""
        trades: list[ExecutionReport] = []
        while len(trades) < number:
            report = self.next()
            if report is not None and report.exec_type is ExecType.TRADE:
                trades.append(report)
        return trades


@pytest.fixture
def listener(adapter: BrokerAdapter) -> Iterator[Listener]:
    listener = Listener()
    stream = adapter.stream(on_report=listener.told.put, on_gap=lambda: listener.told.put(None))
    listener.stream = stream
    assert stream.wait_live(WAIT_SECONDS)
    yield listener
    stream.close()
