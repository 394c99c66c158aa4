"""Cancels and replaces at the same time as the worker, as each other, as new orders: who wins."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from brokers.types import OrdStatus
from failpoints import listening
from orders.models import Order, OrderRequest
from orders.services.requests import KeyUsedElsewhere
from orders.services.submission import begin_submission
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.requests import cancel, replace
from tests.factories.sending import at_broker, hold
from tests.factories.traders import make_desk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("cancel_first", [True, False])
def test_either_the_worker_sends_or_the_cancel_denies(cancel_first: bool) -> None:
    desk = make_desk()
    order, fence = record_one(desk), lease_of(desk)

    def submit() -> Any:
        return begin_submission(order.id, fence=fence, dequeued_at=timezone.now())

    def ask() -> Any:
        return cancel(order)

    if cancel_first:
        asked, sending = race(ask, submit, at="request.record.before_commit")
    else:
        sending, asked = race(submit, ask, at="submit.before_commit")
    order.refresh_from_db()
    if cancel_first:
        assert (order.ord_status, asked.status, sending) == (OrdStatus.DENIED, "ACCEPTED", None)
    else:
        assert (order.ord_status, asked.status) == (OrdStatus.SUBMITTED, "RECORDED")
        assert sending.command.cl_ord_id == order.cl_ord_id


def test_two_cancels_at_once_are_one() -> None:
    order = at_broker(make_desk())
    first, second = race(lambda: cancel(order), lambda: cancel(order), at="request.record.before_commit")
    assert first.pk == second.pk
    assert OrderRequest.objects.count() == 1


def test_a_replace_of_an_exit_and_a_new_exit_at_once_share_the_position() -> None:
    desk = make_desk()
    hold(desk, "10")
    order = at_broker(desk, action="sell", order_type="exit", quantity="4")

    def new_exit() -> Order:
        return record_one(desk, action="sell", order_type="exit", quantity="6")

    _, exit_order = race(lambda: replace(order, order_qty="9"), new_exit, at="request.record.before_commit")
    assert exit_order.order_qty == Decimal(1)


def test_one_key_for_two_orders_at_once() -> None:
    desk = make_desk()
    order, other = at_broker(desk), at_broker(desk)

    def late() -> Any:
        with pytest.raises(KeyUsedElsewhere) as used:
            cancel(other, idempotency_key="k")
        return used.value.order_id

    _, order_id = race(lambda: cancel(order, idempotency_key="k"), late, at="request.record.before_commit")
    assert order_id == order.id


def test_one_key_for_an_open_cancel_and_for_another_order_at_once() -> None:
    desk = make_desk()
    order, other = at_broker(desk), at_broker(desk)
    open_one = cancel(order, idempotency_key="first")

    def late() -> Any:
        with pytest.raises(KeyUsedElsewhere) as used:
            cancel(other, idempotency_key="k")
        return used.value.order_id

    again, order_id = race(
        lambda: cancel(order, idempotency_key="k"), late, at="request.record.before_commit"
    )
    assert (again.pk, order_id) == (open_one.pk, order.id)


def race(first: Callable[[], Any], second: Callable[[], Any], *, at: str) -> tuple[Any, Any]:
    """Run ``first`` up to the point ``at``, begin ``second`` on a connection of its own, let both end.

    Before ``first`` goes on, ``second`` has to wait for a lock that it holds.
    """
    results: list[Any] = []

    def late() -> None:
        try:
            results.append(second())
        finally:
            connections["default"].close()

    other = threading.Thread(target=late)

    def note(name: str) -> None:
        if name == at and threading.current_thread() is threading.main_thread():
            other.start()
            other.join(0.5)
            assert other.is_alive(), "it did not wait"

    with listening(note):
        won = first()
        other.join(10)
    assert results, "the second has failed"
    return won, results[0]
