"""Who is told that something is due, how often, and for how long the message is worth reading."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from celery.worker.request import Request
from django.db import connection
from django.utils import timezone
from kombu.message import Message

from orders.services.leases import take_lease
from tasks import dispatch, orphans, queues, routing, sweeps
from tasks.dispatch import NUDGE_EXPIRES_SECONDS, hand_over, nudge
from tasks.fleet.claims import WaitingClaims
from tests.factories.traders import Desk, make_desk
from tests.pages.rows import make_order
from tradingsite.celery import app

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    queues.client().flushdb()
    yield
    queues.client().flushdb()


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def messages(queue: str) -> list[dict[str, Any]]:
    return [json.loads(message) for message in queues.client().lrange(queue, 0, -1)]


def told(desk: Desk) -> tuple[int, int]:
    """Return how many claims and bells wait for this trader."""
    return len(messages(routing.POOL_QUEUE)), len(messages(routing.user_queue(desk.user.id)))


def expires_in(message: dict[str, Any]) -> float:
    return (dt.datetime.fromisoformat(message["headers"]["expires"]) - timezone.now()).total_seconds()


def bind(desk: Desk) -> None:
    assert take_lease(user_id=desk.user.id, worker="w", host="h", pid=1) is not None


def test_who_has_no_worker_is_claimed_and_who_has_one_is_rung_for(desk: Desk) -> None:
    nudge(desk.user.id)
    assert told(desk) == (1, 0)
    assert WaitingClaims().count() == 1
    queues.client().flushdb()
    bind(desk)
    nudge(desk.user.id)
    assert told(desk) == (0, 1)


def test_a_nudge_is_worth_reading_until_the_next_ones_and_an_alert_for_good(desk: Desk) -> None:
    nudge(desk.user.id)
    bind(desk)
    queues.client().delete(f"nudged.{desk.user.id}")
    nudge(desk.user.id)
    for queue in (routing.POOL_QUEUE, routing.user_queue(desk.user.id)):
        [message] = messages(queue)
        assert 0 < expires_in(message) <= NUDGE_EXPIRES_SECONDS
    hand_over(desk.user.id)
    assert messages(routing.user_queue(desk.user.id))[0]["headers"]["expires"] is None


def test_an_old_nudge_is_dropped_unread(desk: Desk) -> None:
    routing.claim(desk.user.id, expires_seconds=-1.0)
    routing.claim(desk.user.id, expires_seconds=60.0)
    fresh, old = (
        Request(
            Message(
                body=b64decode(message["body"]),
                headers=message["headers"],
                properties=message["properties"],
                content_type=message["content-type"],
                content_encoding=message["content-encoding"],
            ),
            app=app,
            task=app.tasks["sweeps.due"],
            on_ack=lambda *_: None,
        )
        for message in messages(routing.POOL_QUEUE)
    )
    assert (fresh.revoked(), old.revoked()) == (False, True)
    assert old.acknowledged


def test_nudges_do_not_pile_up_while_nobody_reads_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MOST_WAITING", 3)
    for _ in range(5):
        queues.client().delete(f"nudged.{desk.user.id}")  # its time is over
        nudge(desk.user.id)
    assert told(desk) == (3, 0)
    hand_over(desk.user.id)  # an alert is told of in any case
    assert told(desk) == (4, 1)


@pytest.mark.django_db(transaction=True)
def test_no_sweep_publishes_while_it_holds_its_lock(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    make_order(desk.account, "NEW", next_check_at=timezone.now() - dt.timedelta(minutes=5))
    seen: list[tuple[str, bool]] = []
    monkeypatch.setattr(sweeps, "nudge", lambda _user: seen.append(("nudge", connection.in_atomic_block)))
    monkeypatch.setattr(
        orphans.routing,
        "hand_out",
        lambda task, *_args, **_kwargs: seen.append((task, connection.in_atomic_block)),
    )
    sweeps.due()
    sweeps.orphans()
    assert {("nudge", False), ("orphans.trader", False)} <= set(seen)
    assert not any(inside for _, inside in seen)
