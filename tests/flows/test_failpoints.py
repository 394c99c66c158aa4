"""Every point at which a process can die: it dies there, and the order is filled once all the same.

One stimulus after another: all its points are armed with ``kill``, then orders come in until each has struck. The
processes are left to those who look after them: the desk's supervisor, the fleet, the sweeps.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from desk.errors import DeskError
from failpoints.catalog import POINTS
from tests.flows.armed import ArmedFloor
from tests.flows.floor import Row
from tests.flows.helpers import Trader
from tests.flows.stimuli import PATIENCE_SECONDS, STIMULI, Trial

ELSEWHERE = {
    # a point, or the beginning of several
    "send.duplicate": "test_fencing passes it: a worker that departs after its successor has sent",
    "lease.before_retake": "needs PostgreSQL away for longer than a lease: the chaos run",
    "lease.after_retake": "the same",
    "abandoned.": "needs a forkserver that dies before its workers: the chaos run",
    "replaced.": "needs a replace that is accepted after it was given up: the chaos run",
    "wedged.": "needs a worker that stands still for 90 s here: the chaos run",
    "disowned.": "needs a worker that stays without its lease: the chaos run",
    "lookup.stop.": "needs an OCO whose answer is lost, and whose target the stream names",
    "protect.deferred": "needs an exit that is refused: test_protection has one; it is only looked at sooner",
    "lookup.listed": "class C only; these traders' broker takes an id once",
    "lookup.fills": "the same",
    "adopt.": "an operator settles what class C leaves open",
    "resolve.": "the same",
    "request.put_off.": "postpone.after_commit is the same step of an order",
    "shrink.": "the pool's size: no order hangs on it",
    "leave_pool.": "the same",
    "sweep.pool.": "the same",
    "sweep.market_hours.": "the same: hours are read for a year ahead",
    "hours.": "the same",
    "reconcile.": "test_reconciliation passes them: nothing here happens behind the desk's back",
    "sweep.reconcile.": "upkeep: no order hangs on it",
    "sweep.valuation.": "the same: what is held is valued at the next sweep",
    "quotes.": "test_exit_monitor strikes it: this desk values once a minute",
    "valuation.": "the same",
    "exit_rule.": "the same: these traders have no exit rules",
    "reversal.": "test_reversal_deaths passes them, and the chaos run",
    "desk_cancel.": "the same",
    "exit.record.": "needs an exit that the desk decides on: the chaos run",
    "flatten.": "the same: alerts do not flatten",
    "tend.": "the same: nothing waits here for an order's end",
    "errand.": "no order of these traders gives one: the chaos run",
    "pool.decide.": "the same",
    "orphan.lease.": "needs a lease longer than these 4 s to be found before it ends by itself: the chaos run",
    "orphan.queue.": "upkeep: no order hangs on it",
    "orphan.replies.": "the same",
    "orphan.healed.": "the same",
    "attention.settled": "the same",
    "instruments.": "the same",
    "sweep.instruments.": "the same",
    "dead_letter.": "a task that failed three times; its order is due all the same",
}


def is_elsewhere(point: str) -> bool:
    return any(point == name or (name.endswith(".") and point.startswith(name)) for name in ELSEWHERE)


@contextlib.contextmanager
def nursed(floor: ArmedFloor) -> Iterator[None]:
    """Start again at once what has died: the desk's supervisor waits longer after each of many deaths."""
    over = threading.Event()

    def nurse() -> None:
        while not over.wait(0.3):
            for name, component in floor.desk.status()["components"].items():
                if component["state"] == "restarting":
                    with contextlib.suppress(DeskError):  # it has died again
                        floor.desk.restart(name)

    with ThreadPoolExecutor(1) as threads:
        nursing = threads.submit(nurse)
        try:
            yield
        finally:
            over.set()
            nursing.result()


@pytest.fixture
def floor(armed_running_floor: ArmedFloor, armed_books: None) -> Iterator[ArmedFloor]:
    armed_running_floor.forget_hits()
    armed_running_floor.wait_ready()
    yield armed_running_floor
    armed_running_floor.disarm()
    armed_running_floor.heal()


def test_every_point_has_a_stimulus_or_a_reason() -> None:
    struck = [point for _, points in STIMULI.values() for point in points]
    assert sorted(struck) == sorted(point for point in POINTS if not is_elsewhere(point))
    for name in ELSEWHERE:
        assert any(point == name or point.startswith(name) for point in POINTS), f"{name} is no point"


@pytest.mark.parametrize("name", STIMULI)
def test_whoever_dies_every_order_is_filled_once(floor: ArmedFloor, name: str) -> None:
    act, points = STIMULI[name]
    trial = Trial(floor)
    for point in points:
        floor.arm(point, "kill")
    deadline = time.monotonic() + PATIENCE_SECONDS
    with nursed(floor):
        while left := [point for point in points if not floor.hits(point)]:
            assert time.monotonic() < deadline, f"nobody passes {left}"
            act(trial)
    for trader, order_id, status in trial.ends:
        order = floor.wait_status(order_id, status, seconds=40)
        assert floor.times_at_venue(trader, order) == (0 if status == "DENIED" else 1)
        assert_filled_as_told(floor, trader, order)


def assert_filled_as_told(floor: ArmedFloor, trader: Trader, order: Row) -> None:
    fills = floor.desk_rows("SELECT last_qty FROM orders_execution WHERE order_id = %s", order["id"])
    at_venue = [
        row for row in floor.ledger(trader, "fill") if row["client_order_id"] == order["working_cl_ord_id"]
    ]
    assert (
        sum(fill["last_qty"] for fill in fills)
        == order["cum_qty"]
        == sum(int(row["qty"]) for row in at_venue)
    )
