"""A worker process and a PostgreSQL that ends its connection at the worst moment."""

from __future__ import annotations

from typing import Any, cast

import psycopg
import pytest
from django.db import InternalError, OperationalError

from orders.models import WorkerLease
from orders.services.leases import take_lease
from tasks.fleet import process as module
from tasks.fleet.process import WorkerProcess
from tasks.fleet.slots import Slot
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
