"""Workers fall asleep at every step before the socket, for longer than their lease, and wake up too late.

One night for all: each sleeper is put to sleep by a failpoint, then the fleet is killed, so that nobody renews their
leases and nobody sees that they stand still. Others take over and finish. Then the sleepers wake up. The venue takes
a client order id as often as it comes here, and counts its calls: a sleeper that sends is seen even where a
class A broker would have refused the second one.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.flows.armed import ArmedFloor
from tests.flows.floor import Row
from tests.flows.helpers import Trader, is_alive, wait_until

DECISIONS = ("Submitted", "CancelRequested", "ReplaceRequested")


@dataclass
class Sleeper:
    """One worker that slept, what it was about to do, and what was seen before and after it woke up."""

    trader: Trader
    pid: int
    epoch: int
    order_id: str
    counter: str
    last_event: int
    """Of the order, before anything was asked of the sleeper."""
    calls_before_waking: int = 0
    order_before_waking: Row | None = None
    events_before_waking: int = 0


Act = Callable[[ArmedFloor, Trader], str]
"""Ask for something; return the order's id."""


def send(floor: ArmedFloor, trader: Trader) -> str:
    answer = floor.send(trader)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def cancel(floor: ArmedFloor, trader: Trader) -> str:
    return ask(floor, trader, "cancel")


def replace(floor: ArmedFloor, trader: Trader) -> str:
    return ask(floor, trader, "replace", order_qty="3")


def ask(floor: ArmedFloor, trader: Trader, what: str, **terms: Any) -> str:
    order_id = str(floor.orders(trader)[-1]["id"])
    answer = floor.request(trader, order_id, what, **terms)
    assert answer.status_code == 202, answer.text
    return order_id


CASES: dict[str, tuple[str, Act]] = {
    "a claim": ("lease.after_take", send),
    "an order, before transaction 1": ("submit.before", send),
    "an order, after transaction 1": ("submit.after_commit", send),
    "a cancel, before transaction 1": ("request.before", cancel),
    "a cancel, after transaction 1": ("request.after_commit", cancel),
    "a replace, before transaction 1": ("request.before", replace),
    "a replace, after transaction 1": ("request.after_commit", replace),
}
DEPARTING = "an order, after the last check"


def is_done(order: Row, act: Act) -> bool:
    if act is send:
        return bool(order["ord_status"] == "FILLED")
    if act is cancel:
        return bool(order["ord_status"] == "CANCELED")
    return bool(order["ord_status"] == "NEW" and order["order_qty"] == 3)


def prepare(floor: ArmedFloor, act: Act) -> Trader:
    """Return a trader with a worker, and with an order to cancel or replace where that is to be asked."""
    trader = floor.trader()
    floor.warm_up(trader)
    if act is not send:
        resting = floor.send(trader, type="limit", price="1", quantity=2)
        floor.wait_status(resting.json()["id"], "NEW")
    return trader


def put_to_sleep(floor: ArmedFloor, trader: Trader, point: str, act: Act) -> Sleeper:
    counter = floor.count_calls(trader)
    last_event = floor.desk_rows("SELECT coalesce(max(id), 0) AS id FROM orders_orderevent")[0]["id"]
    floor.arm(point, "stop")
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(act, floor, trader)
        pid = floor.wait_stopped(point)
        order_id = asking.result()
    rows = floor.desk_rows("SELECT pid, epoch FROM orders_workerlease WHERE user_id = %s", trader.user_id)
    assert rows[0]["pid"] == pid
    floor.forget_hits()
    return Sleeper(trader, pid, rows[0]["epoch"], order_id, counter, last_event)


@pytest.fixture(scope="module")
def night(armed_running_floor: ArmedFloor, armed_books: None) -> Iterator[dict[str, Sleeper]]:
    """Put everybody to sleep, have others take over, wake everybody up."""
    floor = armed_running_floor
    prepared = {
        name: floor.trader() if point == "lease.after_take" else prepare(floor, act)
        for name, (point, act) in (CASES | {DEPARTING: ("send.departing", send)}).items()
    }
    for name, trader in prepared.items():
        if name != DEPARTING:
            floor.allow_duplicates(trader)
    sleepers = {name: put_to_sleep(floor, prepared[name], *case) for name, case in CASES.items()}
    sleepers[DEPARTING] = put_to_sleep(floor, prepared[DEPARTING], "send.departing", send)
    try:
        floor.desk.kill("fleet")
        for name, sleeper in sleepers.items():
            act = CASES[name][1] if name in CASES else send
            done = lambda sleeper=sleeper, act=act: is_done(floor.order(sleeper.order_id), act)  # noqa: E731
            wait_until(f"somebody else has done it: {name}", done, seconds=40)
        for sleeper in sleepers.values():
            sleeper.calls_before_waking = floor.calls(sleeper.counter)
            sleeper.order_before_waking = floor.order(sleeper.order_id)
            sleeper.events_before_waking = len(floor.events(sleeper.order_id))
            assert is_alive(sleeper.pid)
    finally:
        floor.wake_all()
    for name, sleeper in sleepers.items():
        wait_until(f"{name}: the sleeper has left", lambda pid=sleeper.pid: not is_alive(pid))
    time.sleep(0.5)  # what the venue would tell of a call too many
    yield sleepers
    floor.heal()


@pytest.fixture(params=CASES.keys())
def sleeper(request: pytest.FixtureRequest, night: dict[str, Sleeper]) -> Sleeper:
    return night[request.param]


def test_a_sleeper_calls_the_venue_no_more(armed_running_floor: ArmedFloor, sleeper: Sleeper) -> None:
    assert sleeper.calls_before_waking == 1
    assert armed_running_floor.calls(sleeper.counter) == 1


def test_a_sleeper_changes_nothing_after_it_woke_up(
    armed_running_floor: ArmedFloor, sleeper: Sleeper
) -> None:
    floor = armed_running_floor
    before, after = sleeper.order_before_waking, floor.order(sleeper.order_id)
    assert before is not None
    kept = ("ord_status", "order_qty", "cum_qty", "epoch", "attempt", "state")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    late = floor.events(sleeper.order_id)[sleeper.events_before_waking :]
    assert [
        (event["kind"], event["pid"]) for event in late if event["kind"] not in ("Heard", "Checked")
    ] == []


def test_no_decision_is_made_under_an_epoch_that_has_ended(
    armed_running_floor: ArmedFloor, sleeper: Sleeper
) -> None:
    decisions = [
        (event["epoch"], event["pid"])
        for event in armed_running_floor.events(sleeper.order_id)
        if event["kind"] in DECISIONS and event["id"] > sleeper.last_event
    ]
    epochs = [epoch for epoch, _ in decisions]
    assert epochs == sorted(epochs)
    assert epochs[-1] > sleeper.epoch
    assert {pid for epoch, pid in decisions if epoch > sleeper.epoch}.isdisjoint({sleeper.pid})
    assert {pid for epoch, pid in decisions if epoch <= sleeper.epoch} <= {sleeper.pid}


@pytest.mark.parametrize("name", [name for name, (point, _) in CASES.items() if "before" in point])
def test_a_sleeper_before_transaction_1_leaves_no_decision(
    armed_running_floor: ArmedFloor, night: dict[str, Sleeper], name: str
) -> None:
    act, sleeper = CASES[name][1], night[name]
    wanted = {send: "Submitted", cancel: "CancelRequested", replace: "ReplaceRequested"}[act]
    decisions = [event for event in armed_running_floor.events(sleeper.order_id) if event["kind"] == wanted]
    assert len(decisions) == 1
    assert decisions[0]["pid"] != sleeper.pid


@pytest.mark.parametrize("name", [name for name, (point, _) in CASES.items() if "after_commit" in point])
def test_a_sleepers_sending_is_taken_back_before_it_is_sent_again(
    armed_running_floor: ArmedFloor, night: dict[str, Sleeper], name: str
) -> None:
    act, sleeper = CASES[name][1], night[name]
    sent = {send: "Submitted", cancel: "CancelRequested", replace: "ReplaceRequested"}[act]
    undone = "NotSent" if act is send else "RequestNotSent"
    story = [
        (event["kind"], event["pid"] == sleeper.pid)
        for event in armed_running_floor.events(sleeper.order_id)
        if event["kind"] in (sent, undone)
    ]
    assert story == [(sent, True), (undone, False), (sent, False)]


@pytest.mark.parametrize("name", [name for name, (_, act) in CASES.items() if act is not send])
def test_a_request_that_was_slept_over_is_answered_once(
    armed_running_floor: ArmedFloor, night: dict[str, Sleeper], name: str
) -> None:
    sleeper = night[name]
    requests = armed_running_floor.requests(sleeper.order_id)
    assert [(row["status"], row["reason"]) for row in requests] == [("ACCEPTED", "")]
    ends = armed_running_floor.ledger(sleeper.trader, "canceled", "replaced")
    assert len(ends) == 1


def test_what_departs_after_its_lease_is_refused_by_a_broker_that_takes_an_id_once(
    armed_running_floor: ArmedFloor, night: dict[str, Sleeper]
) -> None:
    """The one window that no check closes: between the last look at the deadline and the first byte."""
    floor, sleeper = armed_running_floor, night[DEPARTING]
    assert (sleeper.calls_before_waking, floor.calls(sleeper.counter)) == (1, 2)
    order = floor.order(sleeper.order_id)
    assert floor.times_at_venue(sleeper.trader, order) == 1
    assert (order["ord_status"], order["cum_qty"]) == ("FILLED", 1)
    assert len(floor.ledger(sleeper.trader, "fill")) == 2  # one of them of the first order


# --- two sleepers: the successor stands still at the same point, with the work not done yet ---

PAIRS: dict[str, list[tuple[str, Act]]] = {
    "before transaction 1": [("submit.before", send), ("request.before", cancel)],
    "after transaction 1": [("submit.after_commit", send), ("request.after_commit", replace)],
}


@pytest.mark.parametrize("moment", PAIRS)
def test_a_sleeper_takes_nothing_from_a_successor_that_is_at_work(
    armed_running_floor: ArmedFloor, armed_books: None, moment: str
) -> None:
    floor = armed_running_floor
    floor.wait_ready()
    cases = [(point, act, prepare(floor, act)) for point, act in PAIRS[moment]]
    for _, _, trader in cases:
        floor.allow_duplicates(trader)
    sleepers = [put_to_sleep(floor, trader, point, act) for point, act, trader in cases]
    try:
        for point, _, _ in cases:
            floor.arm(point, "stop")
        floor.desk.kill("fleet")
        successors = [floor.wait_stopped(point) for point, _, _ in cases]
        before = [story(floor, sleeper) for sleeper in sleepers]
        for sleeper in sleepers:
            floor.wake(sleeper.pid)
        for sleeper in sleepers:
            wait_until("the sleeper has left", lambda pid=sleeper.pid: not is_alive(pid))
        assert [story(floor, sleeper) for sleeper in sleepers] == before
        for pid in successors:
            floor.wake(pid)
        for sleeper, (_, act, _) in zip(sleepers, cases, strict=True):
            done = lambda sleeper=sleeper, act=act: is_done(floor.order(sleeper.order_id), act)  # noqa: E731
            wait_until("the successor has done it", done)
            assert floor.calls(sleeper.counter) == 1
    finally:
        floor.disarm()
        floor.wake_all()
        floor.heal()


def story(floor: ArmedFloor, sleeper: Sleeper) -> tuple[Row, list[Row], list[str]]:
    """Return the order, its requests and its history, without what is only looked up."""
    events = [event["kind"] for event in floor.events(sleeper.order_id) if event["kind"] != "Checked"]
    order = floor.order(sleeper.order_id)
    kept = {name: order[name] for name in ("ord_status", "attempt", "epoch", "eligible_at", "state")}
    return kept, floor.requests(sleeper.order_id), events


# --- one that stands still within a transaction ---

LONGER_THAN_A_LEASE_SECONDS = 18.0
LIVE_LEASE = "SELECT epoch FROM orders_workerlease WHERE user_id = %s AND expires_at > now()"
FRESH_BEAT = "SELECT 1 FROM orders_heartbeat WHERE part = 'fleet' AND at > now() - interval '8 s'"


def test_a_worker_that_stands_still_in_transaction_1_stops_nobody_else(
    armed_running_floor: ArmedFloor, armed_books: None
) -> None:
    """It holds its lease's row, which its fleet renews in one statement with all others."""
    floor = armed_running_floor
    floor.wait_ready()
    frozen, other = prepare(floor, send), prepare(floor, send)
    before = floor.desk_rows(LIVE_LEASE, other.user_id)
    sleeper = put_to_sleep(floor, frozen, "submit.before_commit", send)
    try:
        time.sleep(LONGER_THAN_A_LEASE_SECONDS)
        assert floor.desk_rows(LIVE_LEASE, other.user_id) == before
        assert floor.desk_rows(FRESH_BEAT)
        assert floor.send(other).json()["ord_status"] == "FILLED"
    finally:
        floor.disarm()
        floor.wake_all()
    floor.wait_filled(frozen, sleeper.order_id)
    assert floor.calls(sleeper.counter) == 1
    floor.heal()
