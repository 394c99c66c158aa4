"""Claims that come too late, workers that operators see, and workers that have nothing to do any more."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.testing import running_desk
from tests.flows.floor import Floor
from tests.flows.helpers import is_alive, wait_until

COMPONENTS = ("postgres", "redis", "venue", "web", "fleet", "sweeps", "beat")


@pytest.fixture(scope="module")
def restless_floor(prepared_home: Path) -> Iterator[Floor]:
    """Run a desk whose workers leave after a second without work."""
    environment = {"FLEET_POOL_SIZE": "1", "FLEET_MAX_WORKERS": "4", "WORKER_IDLE_SECONDS": "1"}
    with running_desk(components=COMPONENTS, like=prepared_home, env=environment) as desk:
        floor = Floor(desk)
        yield floor
        floor.close()


def claim(floor: Floor, user_id: int, times: int) -> None:
    script = f"from tasks import routing\nfor _ in range({times}): routing.claim({user_id})"
    done = floor.desk.run("manage.py", "shell", "-c", script)
    assert done.returncode == 0, done.stderr


def test_a_claim_for_a_trader_who_has_a_worker_changes_nothing(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    before = floor.lease(trader)
    claim(floor, trader.user_id, times=5)
    answer = floor.send(trader)
    assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED")
    after = floor.lease(trader)
    assert (floor.worker_pid(trader), after["epoch"]) == (pid, before["epoch"])


def test_a_claim_for_a_trader_without_work_binds_nobody(floor: Floor) -> None:
    idle, busy = floor.traders(2)
    claim(floor, idle.user_id, times=2)
    floor.warm_up(busy)  # a later claim has been served, so the earlier ones have been taken up
    assert floor.desk_rows("SELECT 1 FROM orders_workerlease WHERE user_id = %s", idle.user_id) == []


def test_celery_sees_the_traders_worker_and_its_one_queue(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    command = ("-m", "celery", "-A", "tradingsite", "inspect", "active_queues", "--json", "-t", "5")
    done = floor.desk.run(*command)
    seen = {
        name: [queue["name"] for queue in queues]
        for name, queues in json.loads(done.stdout).items()
        if name.startswith(f"worker-{pid}-")
    }
    assert list(seen.values()) == [[f"user.{trader.user_id}"]]


def test_an_idle_worker_lets_its_trader_go_and_exits(restless_floor: Floor) -> None:
    floor = restless_floor
    trader = floor.trader()
    pid = floor.warm_up(trader)
    wait_until("the idle worker to exit", lambda: not is_alive(pid), seconds=20)
    lease = floor.desk_rows(
        "SELECT epoch, expires_at <= now() AS ended FROM orders_workerlease WHERE user_id = %s",
        trader.user_id,
    )
    assert lease == [{"epoch": 1, "ended": True}]
    second = floor.warm_up(trader)
    assert second != pid
    assert floor.lease(trader)["epoch"] == 2


def test_a_worker_stays_as_long_as_an_order_of_its_trader_rests(restless_floor: Floor) -> None:
    floor = restless_floor
    trader = floor.trader()
    pid = floor.warm_up(trader)
    resting = floor.send(trader, type="limit", price="1", quantity=1)
    assert resting.status_code == 200
    with pytest.raises(AssertionError):
        wait_until("the worker to leave its resting order", lambda: not is_alive(pid), seconds=5)
    floor.assert_books_balance()
