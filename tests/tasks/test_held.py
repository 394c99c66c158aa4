"""The stream's reports of the order that is being sent."""

import datetime as dt
import threading
from decimal import Decimal

from brokers.types import ExecType, ExecutionReport, OrdStatus, Side
from tasks.fleet.held import HeldReports


def report(cl_ord_id: str, exec_type: ExecType) -> ExecutionReport:
    now = dt.datetime.now(dt.UTC)
    return ExecutionReport(exec_type, OrdStatus.NEW, cl_ord_id, "b", "AAPL", Side.BUY, Decimal(1), now)


def test_only_the_order_being_sent_is_held_and_only_until_it_is_taken() -> None:
    held = HeldReports()
    new, other = report("a", ExecType.NEW), report("b", ExecType.NEW)
    assert not held.offer(new)
    held.hold("a")
    assert held.offer(new)
    assert not held.offer(other)
    assert held.take() == [new]
    assert not held.offer(new)
    assert held.take() == []


def test_taking_waits_for_the_fill_and_not_for_acknowledgements() -> None:
    held = HeldReports()
    held.hold("a")
    new, fill = report("a", ExecType.NEW), report("a", ExecType.TRADE)
    held.offer(new)
    later = threading.Timer(0.05, held.offer, [fill])
    later.start()
    assert held.take(wait_seconds=30) == [new, fill]
    later.join()


def test_taking_gives_up_in_the_end() -> None:
    held = HeldReports()
    held.hold("a")
    new = report("a", ExecType.NEW)
    held.offer(new)
    assert held.take(wait_seconds=0.01) == [new]
