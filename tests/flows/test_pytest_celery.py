"""pytest-celery's clusters with local processes in the place of its containers: a real worker of ours is killed.

The sweeps worker stands for all: what Celery delivers to it is a bell, and a worker that comes back answers every
bell that is still in its queue. A bell that was being answered when the worker died is lost to Celery; that costs
nothing, because what is to be done stands in PostgreSQL (tests/flows/test_worker_death.py).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGSTOP, Signals
from typing import Any

import celery
import pytest
import redis
from celery.result import AsyncResult
from pytest_celery import (
    CeleryBackendCluster,
    CeleryBrokerCluster,
    CeleryTestBackend,
    CeleryTestBroker,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
)

from desk.components import environment_of
from desk.config import CHECKOUT, Config
from tests.flows.floor import Floor, kill_process
from tests.flows.helpers import wait_until

QUEUE = "sweeps"
RESULT_SECONDS = 20


class LocalRedis:
    """The desk's Redis, as pytest-celery wants to see a container; the desk itself starts and stops it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.id = self.name = "redis"
        self.status = "running"

    @property
    def celeryconfig(self) -> dict[str, str]:
        url = f"redis+socket://{self._socket}?virtual_host=0"
        return {"url": url, "host_url": url}

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket))

    def ready(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        finally:
            client.close()

    def teardown(self) -> None:
        """Nothing: the desk stops its own Redis."""


class LocalWorker:
    """One worker process of the desk, as pytest-celery wants to see a container."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.name = "flows"
        self.start()

    @property
    def id(self) -> str:
        return os.uname().nodename

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> str:
        return "running" if self._process is not None and self._process.poll() is None else "exited"

    @property
    def node_name(self) -> str:
        return f"{self.name}@{self.id}"

    def worker_queue(self) -> str:
        return QUEUE

    def start(self) -> None:
        options = [
            "-Q",
            QUEUE,
            "--pool",
            "solo",
            "-n",
            self.node_name,
            "--without-gossip",
            "--without-mingle",
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tradingsite", "worker", *options],
                cwd=CHECKOUT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, signal: str = "SIGKILL") -> None:
        assert self._process is not None
        self._process.send_signal(Signals[signal])
        self._process.wait(10)

    def restart(self, timeout: float) -> None:
        if self.status == "running":
            self.kill("SIGTERM")
        self.start()

    def reload(self) -> None:
        """Nothing: the status is always read anew."""

    def ready(self) -> bool:
        return self.status == "running"

    def logs(self) -> str:
        return self._log.read_text(errors="replace")

    def teardown(self) -> None:
        if self.status == "running":
            self.kill("SIGKILL")


@pytest.fixture
def desk_redis(floor: Floor) -> LocalRedis:
    return LocalRedis(floor.desk.home.run / "redis.sock")


@pytest.fixture
def celery_broker_cluster(desk_redis: LocalRedis) -> CeleryBrokerCluster:
    return CeleryBrokerCluster(CeleryTestBroker(desk_redis))


@pytest.fixture
def celery_backend_cluster(desk_redis: LocalRedis) -> CeleryBackendCluster:
    return CeleryBackendCluster(CeleryTestBackend(desk_redis))


@pytest.fixture
def celery_worker_cluster(
    floor: Floor, desk_redis: LocalRedis, tmp_path: Path
) -> Iterator[CeleryWorkerCluster]:
    """Put a worker of our own in the place of the desk's sweeps worker."""
    before = celery.current_app._get_current_object()
    floor.desk.stop("beat")
    floor.desk.stop("sweeps")
    environment = environment_of(Config.read(floor.desk.environment), "sweeps")
    environment["CELERY_RESULT_BACKEND"] = desk_redis.celeryconfig["url"]
    worker = CeleryTestWorker(LocalWorker(environment, tmp_path / "worker.log"), app=None)
    yield CeleryWorkerCluster(worker)
    worker.teardown()
    before.set_current()  # restarting a node makes the set-up's app the current one


def queue_sweeps(setup: CeleryTestSetup, count: int) -> list[AsyncResult[Any]]:
    return [setup.app.send_task("sweeps.due", queue=QUEUE, ignore_result=False) for _ in range(count)]


def done(results: list[AsyncResult[Any]]) -> int:
    return sum(result.successful() for result in results)


def wait_done(results: list[AsyncResult[Any]], at_least: int) -> None:
    wait_until(f"{at_least} tasks are done", lambda: done(results) >= at_least, seconds=RESULT_SECONDS)


def is_seen(setup: CeleryTestSetup) -> bool:
    """Say whether the worker answers Celery's remote control."""
    name = setup.worker.container.node_name
    return any(name in answer for answer in setup.app.control.ping(destination=[name], timeout=0.5))


def test_a_real_worker_does_its_tasks(celery_setup: CeleryTestSetup) -> None:
    assert celery_setup.ready(docker=True)
    wait_until("the worker is seen", lambda: is_seen(celery_setup))
    wait_done(queue_sweeps(celery_setup, 5), 5)


def test_what_is_queued_while_the_worker_is_dead_is_done_when_it_is_back(
    celery_setup: CeleryTestSetup, desk_redis: LocalRedis
) -> None:
    worker = celery_setup.worker
    wait_done(queue_sweeps(celery_setup, 1), 1)
    pid = worker.container.pid
    worker.kill()
    assert worker.container.status == "exited"
    time.sleep(
        0.5
    )  # until Redis has noticed: it gives a message to whoever it believes to be waiting, dead or not
    results = queue_sweeps(celery_setup, 10)
    assert desk_redis.client().llen(QUEUE) == 10
    worker.restart()
    wait_done(results, 10)
    assert worker.container.pid != pid


def test_a_worker_killed_at_work_loses_at_most_what_was_in_its_hands(
    celery_setup: CeleryTestSetup, desk_redis: LocalRedis
) -> None:
    worker = celery_setup.worker
    wait_done(queue_sweeps(celery_setup, 1), 1)
    results = queue_sweeps(celery_setup, 100)
    wait_done(results, 1)
    worker.kill()
    finished = done(results)
    assert finished < 100
    # What the dead worker had fetched and not begun comes back after the visibility timeout of a minute.
    client = desk_redis.client()
    for tag in client.zrange("unacked_index", 0, -1):
        client.zadd("unacked_index", {tag: 0})
    worker.restart()
    wait_done(results, 99)
    wait_until("the queue is empty", lambda: client.llen(QUEUE) == 0)
    client.close()


def test_the_desk_heals_a_doorbell_that_died_with_its_worker(
    celery_setup: CeleryTestSetup, floor: Floor
) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    os.kill(pid, SIGSTOP)
    answer = floor.send(trader)
    assert answer.status_code == 202
    celery_setup.worker.kill()
    kill_process(pid)
    celery_setup.worker.restart()
    wait_done(queue_sweeps(celery_setup, 1), 1)
    floor.wait_filled(trader, answer.json()["id"])
