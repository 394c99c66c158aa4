"""Orphans, dead letters and the pool, through real processes on a desk of short intervals."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from desk.testing import running_desk
from failpoints import arm
from tests.flows.floor import Floor, kill_process
from tests.flows.helpers import Trader, is_alive, wait_until

COMPONENTS = ("postgres", "redis", "venue", "web", "fleet", "sweeps", "beat")

ENVIRONMENT = {
    "FLEET_POOL_SIZE": "1",
    "FLEET_POOL_MAX": "4",
    "FLEET_MAX_WORKERS": "24",
    "LEASE_TTL_SECONDS": "60",  # what ends sooner was ended by the maintenance
    "LEASE_RENEW_SECONDS": "2",
    "SWEEP_DUE_SECONDS": "1",
    "SWEEP_ORPHANS_SECONDS": "2",
    "SWEEP_POOL_SECONDS": "1",
    "POOL_WINDOW_SECONDS": "5",
    "POOL_DEMAND_HOURS": "0.004",  # 14 s
    "POOL_SURPLUS_SECONDS": "1",
    "UNDELIVERED_SECONDS": "3",  # longer than an alert is waited for
    "SWEEP_VALUATION_SECONDS": "3600",  # or whoever holds something is given a worker again
    "SWEEP_INSTRUMENTS_SECONDS": "1",
}


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("points")


@pytest.fixture(scope="module")
def floor(points: Path, prepared_home: Path) -> Iterator[Floor]:
    """Run a desk on which maintenance comes by every few seconds, and failpoints can be armed."""
    with running_desk(
        components=COMPONENTS, like=prepared_home, env=ENVIRONMENT | {"FAILPOINTS": str(points)}
    ) as desk:
        floor = Floor(desk)
        wait_for_instruments(floor)
        yield floor
        floor.assert_books_balance()
        floor.close()


@pytest.fixture
def queues(floor: Floor) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(floor.desk.home.run / "redis.sock")) as client:
        yield client


def wait_for_instruments(floor: Floor) -> None:
    """Wait until somebody's worker has read what there is to trade: it would run into the first test's failpoints."""
    floor.trader()
    left = "SELECT NOT EXISTS (SELECT FROM orders_errand) AND EXISTS (SELECT FROM brokers_instrument) AS done"
    wait_until("the instruments are read", lambda: floor.desk_rows(left)[0]["done"], seconds=60)


def wait_for_errands(floor: Floor, trader: Trader) -> None:
    """Wait until the trader's worker has compared its accounts, as it does when it begins."""
    errands = "SELECT 1 FROM orders_errand WHERE user_id = %s"
    wait_until("nothing is left to be done", lambda: not floor.desk_rows(errands, trader.user_id))


def fail_next(points: Path, name: str, times: int, seconds: float = 30.0) -> None:
    """Have the next ``times`` who pass this point fail there."""
    for _ in range(times):
        armed = arm(points, name, "fail")
        wait_until(f"somebody passes {name}", lambda path=armed: not path.exists(), seconds)


def letters(floor: Floor, task: str) -> list[dict[str, object]]:
    return floor.desk_rows("SELECT * FROM orders_deadletter WHERE task = %s ORDER BY id", task)


def test_a_lease_whose_worker_died_unseen_is_ended_long_before_its_time(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    before = floor.lease(trader)
    assert before is not None
    ready = "SELECT 1 FROM orders_heartbeat WHERE at > %s AND (data ->> 'idle')::int > 0"
    wait_until("somebody is idle again", lambda: floor.desk_rows(ready, before["claimed_at"]))
    fleet = floor.desk.pid("fleet")
    os.kill(fleet, signal.SIGSTOP)  # it must not see its worker's death: only the maintenance is left
    try:
        kill_process(pid)
        resting = floor.send(trader, type="limit", price="1")
        assert resting.status_code in (200, 202)
        order = floor.wait_status(resting.json()["id"], "NEW")  # of the lease's 60 s most are left
        after = floor.lease(trader)
    finally:
        os.kill(fleet, signal.SIGCONT)
    assert after is not None
    assert (after["epoch"], order["epoch"]) == (before["epoch"] + 1, before["epoch"] + 1)
    assert after["pid"] != pid


def test_a_worker_that_has_lost_its_lease_takes_it_anew(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    wait_for_errands(floor, trader)  # or another worker would be called for them
    floor.desk_rows("UPDATE orders_workerlease SET expires_at = now() WHERE user_id = %s", trader.user_id)
    lease = wait_until("the lease stands again", lambda: floor.lease(trader))
    assert (lease["pid"], lease["epoch"]) == (pid, 2)


def test_a_worker_whose_trader_has_another_one_leaves(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    floor.desk_rows(
        "INSERT INTO orders_heartbeat VALUES ('fleet@elsewhere:1', 'fleet', now() + interval '1 hour', %s)",
        json.dumps({"host": "elsewhere", "pid": 1}),
    )
    floor.desk_rows(
        "UPDATE orders_workerlease SET epoch = epoch + 1, pid = 1, host = 'elsewhere', worker = 'worker-1'"
        " WHERE user_id = %s",
        trader.user_id,
    )
    wait_until("the worker without a lease has left", lambda: not is_alive(pid))
    floor.desk_rows("DELETE FROM orders_heartbeat WHERE name = 'fleet@elsewhere:1'")
    answer = floor.send(trader)  # that fleet is gone now, so its lease is ended too
    floor.wait_filled(trader, answer.json()["id"])


def test_messages_for_nobody_are_purged(floor: Floor, queues: redis.Redis) -> None:
    queues.lpush("user.987654321", "a bell of long ago")
    queues.sadd("_kombu.binding.user.987654321", "x")
    wait_until("the queue of nobody is gone", lambda: not queues.exists("user.987654321"))
    wait_until("so is its binding", lambda: not queues.exists("_kombu.binding.user.987654321"))


def test_a_sweep_that_fails_three_times_is_a_dead_letter_and_a_retry_settles_it(
    floor: Floor, points: Path
) -> None:
    fail_next(points, "sweep.pool.before", 3)
    [letter] = wait_until("the dead letter is there", lambda: letters(floor, "sweeps.pool"))
    assert (letter["failures"], letter["exception"], letter["queue"]) == (3, "FailpointError", "sweeps")
    assert "sweep.pool.before" in str(letter["traceback"])
    [item] = floor.desk_rows("SELECT * FROM orders_attentionitem WHERE kind = 'DEAD_LETTER'")
    assert item["resolved_at"] is None
    retry(floor, letter["id"])
    wait_until(
        "the retry settles the letter", lambda: letters(floor, "sweeps.pool")[0]["resolved_at"] is not None
    )
    [item] = floor.desk_rows("SELECT * FROM orders_attentionitem WHERE kind = 'DEAD_LETTER'")
    assert item["resolved_at"] is not None


def test_a_doorbell_that_fails_three_times_is_a_dead_letter_and_the_order_is_sent_all_the_same(
    floor: Floor, points: Path
) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    wait_for_errands(floor, trader)  # or the order would be sent between them, and not by its doorbell
    with ThreadPoolExecutor(1) as threads:
        failing = threads.submit(fail_next, points, "submit.before", 3)  # the sweep rings again each time
        answer = floor.send(trader)
        failing.result()
    assert answer.status_code == 202
    [letter] = wait_until("the dead letter is there", lambda: letters(floor, "orders.execute"))
    assert letter["args"] == [trader.user_id]
    assert letter["failures"] == 3
    floor.wait_filled(trader, answer.json()["id"])
    items = floor.desk_rows(
        "SELECT kind FROM orders_attentionitem WHERE user_id = %s AND resolved_at IS NULL", trader.user_id
    )
    assert [row["kind"] for row in items] == ["DEAD_LETTER"]
    retry(floor, letter["id"])
    wait_until(
        "the retry settles the letter",
        lambda: letters(floor, "orders.execute")[0]["resolved_at"] is not None,
    )


def retry(floor: Floor, letter_id: object) -> None:
    script = (
        "from orders.models import DeadLetter\nfrom tasks.dead_letters import try_again\n"
        f"assert try_again(DeadLetter.objects.get(pk={letter_id}))"
    )
    done = floor.desk.run("manage.py", "shell", "-c", script)
    assert done.returncode == 0, done.stderr


def targets(floor: Floor) -> list[int]:
    return [row["size"] for row in floor.desk_rows("SELECT size FROM orders_pooltarget ORDER BY id")]


def idle_workers(floor: Floor) -> list[int]:
    rows = floor.desk_rows(
        "SELECT data FROM orders_heartbeat WHERE part = 'fleet' AND at > now() - interval '10 s'"
    )
    return [row["data"]["idle"] for row in rows]


def test_the_fleet_follows_the_target_up_and_down(floor: Floor) -> None:
    wait_until("the demand of other tests is forgotten", lambda: targets(floor)[-1:] == [1], seconds=40)
    wait_until("the pool is small", lambda: idle_workers(floor) == [1], seconds=40)
    died = floor.desk.read_log("fleet").count("worker died")
    traders: list[Trader] = floor.traders(4)
    for trader in traders:
        answer = floor.send(trader)
        assert answer.status_code in (200, 202)
        floor.wait_filled(trader, answer.json()["id"])
    wait_until("the target rises", lambda: targets(floor)[-1] == 4)
    wait_until("the pool grows", lambda: idle_workers(floor) == [4])
    wait_until("the target falls", lambda: targets(floor)[-1] == 1, seconds=40)
    wait_until("the pool shrinks", lambda: idle_workers(floor) == [1], seconds=40)
    answer = floor.send(traders[0])  # nobody who had a trader was sent away
    assert answer.json()["ord_status"] == "FILLED"
    floor.wait_filled(traders[0], answer.json()["id"])
    assert floor.desk.read_log("fleet").count("worker died") == died


def test_the_maintenance_shows_what_it_found(floor: Floor) -> None:
    def summary() -> dict[str, int] | None:
        rows = floor.desk_rows("SELECT data FROM orders_heartbeat WHERE name = 'orphans'")
        return rows[0]["data"] if rows else None

    assert wait_until("the coordinator has shown itself", summary).keys() == {
        "batches of entries too old",
        "leases without a process",
        "traders without a worker",
        "queues nobody reads",
        "pools below target",
        "replies kept",
    }
