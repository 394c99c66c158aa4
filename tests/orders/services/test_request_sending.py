"""Cancels on their way, and what all requests share: transaction 1, the call, the broker's word on it."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from brokers.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from brokers.types import ExecType, OrdStatus
from orders.models import Order, OrderEvent, OrderRequest
from orders.selectors import has_open_orders, next_due_at, unsent_requests, users_with_due_orders
from orders.services.leases import Fence, LeaseLost, expire_lease
from orders.services.request_sending import send_request
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.requests import request, send, status_of
from tests.factories.sending import UNKNOWN, check, hear, send_order
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


def test_a_cancel_is_pending_until_the_broker_confirms_it(order: Order, fence: Fence) -> None:
    adapter = ScriptedAdapter()
    asked = send(request(order), adapter, fence)
    assert [(one.cl_ord_id, one.broker_order_id) for one in adapter.requested] == [
        (asked.cl_ord_id, f"venue-{order.cl_ord_id}")
    ]
    assert (asked.status, asked.order.ord_status) == ("PENDING", OrdStatus.PENDING_CANCEL)
    hear(order, make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED))
    assert (status_of(asked), order.ord_status, order.leaves_qty) == ("ACCEPTED", OrdStatus.CANCELED, 0)


def test_a_confirmation_that_overtakes_the_answer_stands(order: Order, fence: Fence) -> None:
    asked = request(order)
    adapter = ScriptedAdapter()

    def cancel(*_: object, **__: object) -> None:
        hear(order, make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED))

    adapter.cancel_order = cancel  # type: ignore[method-assign]
    send(asked, adapter, fence)
    assert (asked.status, asked.order.ord_status) == ("ACCEPTED", OrdStatus.CANCELED)


def test_a_cancel_that_comes_too_late_says_so(order: Order, fence: Fence) -> None:
    hear(order, make_fill(order, "10"))
    adapter = ScriptedAdapter()
    asked = send(request(order), adapter, fence)
    assert (asked.status, asked.reason, adapter.requested) == ("MOOT", "TOO_LATE", [])


def test_a_fill_while_the_cancel_is_pending_counts_and_ends_both(order: Order, fence: Fence) -> None:
    asked = send(request(order), ScriptedAdapter(), fence)
    hear(order, make_fill(order, "10"))
    assert (order.ord_status, order.cum_qty) == (OrdStatus.PENDING_CANCEL, 10)
    check(order, fence, make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.FILLED))
    order.refresh_from_db()
    assert (status_of(asked), order.ord_status, order.ended) == ("MOOT", OrdStatus.FILLED, True)


def test_a_refused_cancel_leaves_the_order_working_and_has_it_checked_at_once(
    order: Order, fence: Fence
) -> None:
    asked = send(request(order), ScriptedAdapter(cancel=OrderRejected("not cancelable")), fence)
    assert (asked.status, asked.reason) == ("REFUSED", "OTHER")
    assert (asked.order.ord_status, asked.order.ended) == (OrdStatus.NEW, False)
    assert asked.order.next_check_at is not None
    assert asked.order.next_check_at <= timezone.now()


def test_a_refusal_that_is_told_again_does_not_refuse_the_next_cancel(order: Order, fence: Fence) -> None:
    refusal = make_report(order, ExecType.CANCEL_REJECTED, text="no")
    first = send(request(order), ScriptedAdapter(), fence)
    hear(order, refusal)
    second = send(request(order), ScriptedAdapter(), fence)
    hear(order, refusal)
    assert (status_of(first), status_of(second)) == ("REFUSED", "PENDING")
    hear(order, make_report(order, ExecType.CANCEL_REJECTED, text="no"))
    assert status_of(second) == "REFUSED"


def test_a_cancel_that_was_not_sent_is_sent_again(order: Order, fence: Fence) -> None:
    asked = send(request(order), ScriptedAdapter(cancel=BrokerUnavailable("no connection")), fence)
    assert (asked.status, asked.order.ord_status) == ("RECORDED", OrdStatus.NEW)
    assert unsent_requests(order.user_id) == []  # not yet
    due = next_due_at(order.user_id)
    assert due is not None
    assert 0 < due <= 2
    OrderRequest.objects.update(eligible_at=timezone.now())
    again = send(asked, ScriptedAdapter(), fence)
    assert (again.status, again.attempt) == ("PENDING", 2)


def test_a_cancel_of_unknown_outcome_is_asked_about_before_it_is_sent_again(
    order: Order, fence: Fence, settings: Any
) -> None:
    settings.LOOKUP_DELAYS_SECONDS = [0, 1, 2]
    asked = send(request(order), ScriptedAdapter(cancel=OutcomeUnknown("no answer")), fence)
    assert (asked.status, asked.order.ord_status) == ("SENT", OrdStatus.NEW)
    working = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW)
    for _ in range(2):
        check(order, fence, working)
        assert status_of(asked) == "SENT"
    check(order, fence, working)
    assert status_of(asked) == "RECORDED"
    again = send(asked, ScriptedAdapter(), fence)
    assert (again.status, again.cl_ord_id) == ("PENDING", asked.cl_ord_id)


def test_a_cancel_whose_answer_was_lost_is_found_confirmed(order: Order, fence: Fence) -> None:
    asked = send(request(order), ScriptedAdapter(cancel=OutcomeUnknown("no answer")), fence)
    check(order, fence, make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.CANCELED))
    assert status_of(asked) == "ACCEPTED"


def test_nothing_is_sent_without_the_lease(order: Order, fence: Fence) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)
    adapter = ScriptedAdapter()
    asked = request(order)
    with pytest.raises(LeaseLost):
        send(asked, adapter, fence)
    assert (status_of(asked), adapter.requested) == ("RECORDED", [])


def test_nothing_leaves_once_the_deadline_has_passed(order: Order, fence: Fence) -> None:
    asked = request(order)

    def forbid() -> None:
        raise LeaseLost("the deadline has passed")

    adapter = ScriptedAdapter()
    with pytest.raises(LeaseLost):
        send_request(asked.id, adapter=adapter, fence=fence, before_send=forbid)  # type: ignore[arg-type]
    assert (status_of(asked), adapter.requested) == ("RECORDED", [])


def test_a_cancel_of_an_order_that_is_in_flight_waits(desk: Desk, fence: Fence) -> None:
    order = send_order(record_one(desk), fence, UNKNOWN)
    adapter = ScriptedAdapter()
    asked = send(request(order), adapter, fence)
    assert (asked.status, adapter.requested) == ("RECORDED", [])
    assert asked.eligible_at is not None
    assert asked.eligible_at > timezone.now()


def test_a_cancel_of_an_order_that_went_back_unsent_keeps_it_from_being_sent(
    desk: Desk, fence: Fence
) -> None:
    order = record_one(desk)
    asked = send(request(order), ScriptedAdapter(), fence)
    assert (asked.status, asked.order.ord_status) == ("ACCEPTED", OrdStatus.DENIED)
    assert asked.order.reason == "CANCELED_BEFORE_SENDING"


# --- who looks ---


def test_a_request_that_lost_its_bell_is_found_by_the_sweep(order: Order, fence: Fence) -> None:
    Order.objects.update(next_check_at=timezone.now() + dt.timedelta(hours=1))
    asked = request(order)
    assert order.user_id not in users_with_due_orders()
    OrderRequest.objects.filter(pk=asked.pk).update(recorded_at=timezone.now() - dt.timedelta(seconds=30))
    assert order.user_id in users_with_due_orders()


def test_a_request_in_flight_when_its_worker_died_has_its_order_looked_at_soon(
    order: Order, fence: Fence, settings: Any
) -> None:
    Order.objects.update(next_check_at=timezone.now() + dt.timedelta(hours=1))
    asked = request(order)
    adapter = ScriptedAdapter(cancel=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        send_request(asked.id, adapter=adapter, fence=fence, before_send=lambda: None)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert status_of(asked) == "SENT"
    assert has_open_orders(order.user_id)
    assert order.next_check_at is not None
    assert order.next_check_at <= timezone.now() + dt.timedelta(seconds=settings.UNRESOLVED_SECONDS)


def test_everything_about_it_is_in_the_history(order: Order, fence: Fence) -> None:
    asked = send(request(order), ScriptedAdapter(), fence)
    hear(order, make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED))
    told = OrderEvent.objects.filter(order=order).order_by("id").values_list("kind", flat=True)
    assert list(told)[-3:] == ["CancelRequested", "PendingCancel", "Canceled"]
    assert OrderEvent.objects.get(order=order, kind="CancelRequested").data["id"] == asked.cl_ord_id
