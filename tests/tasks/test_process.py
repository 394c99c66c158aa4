"""A worker process, and a PostgreSQL or Redis that ends its connection at the worst moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
import redis
from django.db import InternalError, OperationalError

from orders.models import WorkerLease
from orders.services.leases import take_lease
from tasks.fleet import process as module
from tasks.fleet.process import WorkerProcess
from tasks.fleet.slots import Slot
from tasks.routing import POOL_QUEUE, user_queue
from tests.factories.traders import make_desk
from tests.pages.rows import make_order

pytestmark = pytest.mark.django_db


class FakeSession:
    user_id = 1

    def __init__(self, cause: Exception) -> None:
        self._cause = cause

    def work(self) -> bool:
        raise InternalError("ended") from self._cause


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> WorkerProcess:
    worker = WorkerProcess(Slot(), "a")
    monkeypatch.setattr(worker, "_renew_fence", lambda _session: None)
    return worker


@pytest.fixture
def waits(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect after how many seconds the worker wants to work again."""
    waits: list[float] = []
    monkeypatch.setattr(worker, "_work_after", waits.append)
    return waits


def test_a_worker_that_stood_still_in_a_transaction_works_again(
    worker: WorkerProcess, waits: list[float]
) -> None:
    worker.session = cast(Any, FakeSession(psycopg.errors.IdleInTransactionSessionTimeout()))
    worker.work()
    assert waits == [module.RETRY_SECONDS]


def test_an_internal_error_of_another_kind_is_a_failure(worker: WorkerProcess, waits: list[float]) -> None:
    worker.session = cast(Any, FakeSession(psycopg.errors.InFailedSqlTransaction()))
    with pytest.raises(InternalError):
        worker.work()
    assert waits == []


class FakeConsumer:
    """Celery's consumer, as far as a worker uses it: of a Redis that can fail any change of its queues."""

    def __init__(self) -> None:
        self.reads = {POOL_QUEUE}
        self.fails: set[str] = set()
        self.changes = 0
        self.task_consumer = SimpleNamespace(consuming_from=lambda queue: queue in self.reads)
        self.timer = SimpleNamespace(call_repeatedly=lambda *_: None, call_after=lambda *_: None)

    def add_task_queue(self, queue: str) -> None:
        self._change("add")
        self.reads.add(queue)

    def cancel_task_queue(self, queue: str) -> None:
        self._change("cancel")
        self.reads.remove(queue)

    def _change(self, kind: str) -> None:
        self.changes += 1
        if kind in self.fails:
            raise redis.ConnectionError("cut")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fails", ["add", "cancel"])
@pytest.mark.parametrize("back_by", ["tick", "attach"])
def test_a_worker_reads_its_traders_queue_and_no_other_once_redis_is_back(
    worker: WorkerProcess, fails: str, back_by: str
) -> None:
    desk = make_desk()
    make_order(desk.account, "NEW")
    worked: list[int] = []
    worker.work = lambda: worked.append(1)  # type: ignore[method-assign]
    consumer = FakeConsumer()
    worker.attach(cast(Any, consumer))
    consumer.fails = {fails}
    worker.claim(desk.user.id)
    assert worked == [1]
    consumer.fails = set()
    if back_by == "tick":
        worker.tick()
    else:
        worker.attach(cast(Any, consumer))
    assert consumer.reads == {user_queue(desk.user.id)}
    changes = consumer.changes
    worker.tick()
    assert consumer.changes == changes


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_was_given_in_a_commit_without_an_answer_is_taken_again(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk()
    make_order(desk.account, "NEW")
    given: list[int] = []

    def take(**who: Any) -> Any:
        fence = take_lease(**who)
        assert fence is not None
        given.append(fence.epoch)
        if len(given) == 1:
            raise OperationalError("server closed the connection unexpectedly")
        return fence

    monkeypatch.setattr(module, "take_lease", take)
    session = worker._take(desk.user.id)
    assert session is not None
    assert session.fence.epoch == worker.slot.epoch == WorkerLease.objects.get(user=desk.user).epoch
    assert given == [1, 2]
