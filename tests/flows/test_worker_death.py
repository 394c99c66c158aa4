"""Workers and their supervisor die at every bad moment; every order is filled once."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flows.floor import Floor, kill_process
from tests.flows.helpers import descendants, is_alive, wait_until


def test_a_worker_killed_while_idle_is_replaced_for_the_next_alert(floor: Floor) -> None:
    trader = floor.trader()
    for _ in range(3):
        pid = floor.warm_up(trader)
        kill_process(pid)
        answer = floor.send(trader)
        assert answer.status_code in (200, 202)
        floor.wait_filled(trader, answer.json()["id"], seconds=5)
        assert floor.worker_pid(trader) != pid


def test_a_worker_killed_with_an_order_before_it_is_replaced(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    os.kill(pid, signal.SIGSTOP)
    answer = floor.send(trader)
    assert (answer.status_code, answer.json()["ord_status"]) == (202, "INITIALIZED")
    kill_process(pid)
    floor.wait_filled(trader, answer.json()["id"], seconds=5)


@pytest.mark.parametrize("kept_from_the_stream", [False, True])
def test_a_worker_killed_between_accept_and_answer_fills_once(
    floor: Floor, kept_from_the_stream: bool
) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    floor.add_fault("delay_after_ms", trader, ms=4000)
    if kept_from_the_stream:
        floor.add_fault("stream_silence", trader, count=None)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(floor.send, trader)
        wait_until("the venue has accepted", lambda: len(floor.ledger(trader, "accepted")) == 2)
        kill_process(pid)
        answer = sending.result()
    assert answer.status_code in (200, 202)
    order = floor.wait_filled(trader, answer.json()["id"])
    assert order["attempt"] == 1
    assert len(floor.ledger(trader, "accepted")) == 2


def test_the_supervisor_killed_leaves_nothing_lost_and_nobody_behind(floor: Floor) -> None:
    busy, idle = floor.traders(2)
    floor.warm_up(busy)
    floor.warm_up(idle)
    family = descendants(floor.desk.pid("fleet"))
    assert {floor.worker_pid(busy), floor.worker_pid(idle)} < set(family)
    floor.add_fault("delay_after_ms", busy, ms=1500)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(floor.send, busy)
        wait_until("the venue has accepted", lambda: len(floor.ledger(busy, "accepted")) == 2)
        floor.desk.kill("fleet")
        meanwhile = floor.send(idle)
        answer = sending.result()
    assert {answer.status_code, meanwhile.status_code} <= {200, 202}
    floor.wait_filled(busy, answer.json()["id"])
    floor.wait_filled(idle, meanwhile.json()["id"])
    wait_until("the old workers are gone", lambda: not any(map(is_alive, family)))
    floor.desk.wait_ready("fleet")
    for trader in (busy, idle):
        after = floor.send(trader)
        assert after.status_code in (200, 202)
        floor.wait_filled(trader, after.json()["id"])
        assert len(floor.ledger(trader, "accepted")) == 3


def test_a_fleet_restarted_by_its_operator_finishes_the_running_order(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("delay_after_ms", trader, ms=1000)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(floor.send, trader)
        wait_until("the venue has accepted", lambda: len(floor.ledger(trader, "accepted")) == 2)
        floor.desk.restart("fleet")
        answer = sending.result()
    assert answer.status_code in (200, 202)
    order = floor.wait_filled(trader, answer.json()["id"])
    assert order["attempt"] == 1
    wait_until("the new fleet shows itself", lambda: floor.http.get("/readyz").status_code == 200)
    after = floor.send(trader)
    floor.wait_filled(trader, after.json()["id"])


def test_a_worker_that_stands_still_is_killed_and_replaced(hasty_floor: Floor) -> None:
    trader = hasty_floor.trader()
    pid = hasty_floor.warm_up(trader)
    os.kill(pid, signal.SIGSTOP)
    answer = hasty_floor.send(trader)
    assert answer.status_code == 202
    hasty_floor.desk_rows(  # not what is tested here: the order must not grow too old meanwhile
        "UPDATE orders_order SET received_at = received_at + interval '1 minute' WHERE id = %s",
        answer.json()["id"],
    )
    hasty_floor.wait_filled(trader, answer.json()["id"])
    wait_until("the worker that stood still is gone", lambda: not is_alive(pid))
    kinds = hasty_floor.desk_rows("SELECT kind FROM orders_attentionitem WHERE user_id = %s", trader.user_id)
    assert [row["kind"] for row in kinds] == ["WORKER_WEDGED"]


def test_a_worker_that_slept_through_its_lease_sends_nothing(hasty_floor: Floor) -> None:
    trader = hasty_floor.trader()
    pid = hasty_floor.warm_up(trader)
    epoch = (hasty_floor.lease(trader) or {})["epoch"]
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = hasty_floor.send(trader, action="sell", order_type="exit")  # never too old to be sent
        assert answer.status_code == 202
        hasty_floor.desk.kill("fleet")  # nobody renews the sleeper's lease, nobody sees that it stands still
        order = hasty_floor.wait_filled(trader, answer.json()["id"])
        successor = hasty_floor.lease(trader) or {}
        assert successor["pid"] != pid
        assert order["epoch"] == successor["epoch"] > epoch
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until("the sleeper has woken up and left", lambda: not is_alive(pid))
    assert {event["pid"] for event in hasty_floor.events(order["id"]) if event["pid"]} == {successor["pid"]}
    assert len(hasty_floor.ledger(trader, "accepted")) == 2
