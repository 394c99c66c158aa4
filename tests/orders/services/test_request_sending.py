"""Cancels and replaces: transaction 1, the call, the broker's word on it, and every way in which that can go."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from brokers.ids import cl_ord_id_of, new_id
from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.models import Order, OrderEvent, OrderRequest
from orders.selectors import has_open_orders, next_due_at, unsent_requests, users_with_due_orders
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence, LeaseLost, expire_lease, take_lease
from orders.services.request_sending import send_request
from orders.services.submission import submit_order
from orders.services.verification import verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture
def fence(desk: Desk) -> Iterator[Fence]:
    fence = take_lease(user_id=desk.user.id, worker="w@h", host="h", pid=1)
    assert fence is not None
    yield fence


@pytest.fixture
def order(desk: Desk, fence: Fence) -> Order:
    """An order of 10 that rests at the broker."""
    order = record_one(desk, quantity="10", type="limit", price="100")
    submit_order(
        order.id,
        adapter=ScriptedAdapter(submit=lambda command: make_report(order, ExecType.NEW)),  # type: ignore[arg-type]
        fence=fence,
        before_send=lambda: None,
        heard=tuple,
        dequeued_at=timezone.now(),
    )
    order.refresh_from_db()
    return order


def request(order: Order, kind: str = "CANCEL", **terms: Any) -> OrderRequest:
    key, now = new_id(), timezone.now()
    return OrderRequest.objects.create(
        id=key,
        cl_ord_id=cl_ord_id_of(key),
        order=order,
        user=order.user,
        kind=kind,
        source="api",
        received_at=now,
        recorded_at=now,
        **terms,
    )


def send(asked: OrderRequest, adapter: ScriptedAdapter, fence: Fence) -> OrderRequest:
    send_request(asked.id, adapter=adapter, fence=fence, before_send=lambda: None)  # type: ignore[arg-type]
    asked.refresh_from_db()
    asked.order.refresh_from_db()
    return asked


def hear(order: Order, report: ExecutionReport) -> Order:
    apply_execution_report(report, account_id=order.account_id, origin=Origin("stream"))
    order.refresh_from_db()
    return order


def check(
    order: Order, fence: Fence, *reports: ExecutionReport, fills: tuple[ExecutionReport, ...] = ()
) -> None:
    order.refresh_from_db()
    adapter = ScriptedAdapter(listed=reports, executions=fills)
    verify_account(order.account_id, [order], adapter=adapter, fence=fence)  # type: ignore[arg-type]


def replacing(order: Order, asked: OrderRequest, exec_type: ExecType, **fields: Any) -> ExecutionReport:
    """Report of the order at the broker that takes the old one's place."""
    values = {
        "cl_ord_id": asked.cl_ord_id,
        "broker_order_id": f"venue-{asked.cl_ord_id}",
        "replaces": f"venue-{order.cl_ord_id}",
        "order_qty": asked.order_qty or order.order_qty,
    }
    return make_report(order, exec_type, **(values | fields))


def status_of(asked: OrderRequest) -> str:
    return OrderRequest.objects.get(pk=asked.pk).status


# --- cancel ---


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
    assert (asked.status, asked.reason, asked.text) == ("REFUSED", "REFUSED_BY_BROKER", "not cancelable")
    assert (asked.order.ord_status, asked.order.ended) == (OrdStatus.NEW, False)
    assert asked.order.next_check_at is not None
    assert asked.order.next_check_at <= timezone.now()


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
    order = record_one(desk)
    submit_order(
        order.id,
        adapter=ScriptedAdapter(submit=OutcomeUnknown("no answer")),  # type: ignore[arg-type]
        fence=fence,
        before_send=lambda: None,
        heard=tuple,
        dequeued_at=timezone.now(),
    )
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


# --- replace ---


def test_a_replace_is_pending_until_confirmed_and_then_changes_the_order(order: Order, fence: Fence) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(20), price=Decimal("99.5"))
    adapter = ScriptedAdapter(
        replace=lambda command: replacing(
            order, asked, ExecType.PENDING_NEW, ord_status=OrdStatus.PENDING_NEW
        )
    )
    send(asked, adapter, fence)
    assert (asked.status, asked.order.ord_status, asked.order.order_qty) == (
        "PENDING",
        OrdStatus.PENDING_REPLACE,
        10,
    )
    old = make_report(
        order, ExecType.REPLACED, ord_status=OrdStatus.REPLACED, replaced_by=f"venue-{asked.cl_ord_id}"
    )
    hear(order, old)
    assert (order.ord_status, order.order_qty, order.price) == (OrdStatus.NEW, 20, Decimal("99.5"))
    assert (order.working_cl_ord_id, order.broker_order_id) == (asked.cl_ord_id, f"venue-{asked.cl_ord_id}")
    assert status_of(asked) == "ACCEPTED"


def test_fills_of_both_orders_at_the_broker_count_for_the_one(order: Order, fence: Fence) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(20))
    answer = replacing(order, asked, ExecType.NEW)
    send(asked, ScriptedAdapter(replace=lambda command: answer), fence)
    assert asked.status == "ACCEPTED"
    hear(order, make_fill(order, "4", exec_id="late", cum_qty=Decimal(4)))
    new = {"cl_ord_id": asked.cl_ord_id, "broker_order_id": f"venue-{asked.cl_ord_id}"}
    hear(order, make_fill(order, "16", exec_id="rest", cum_qty=Decimal(20), **new))
    assert (order.ord_status, order.cum_qty, order.order_qty) == (OrdStatus.FILLED, 20, 20)
    assert order.broker_order_id == f"venue-{asked.cl_ord_id}"


def test_the_new_order_works_before_anybody_told_of_the_replace(order: Order, fence: Fence) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(5))
    send(asked, ScriptedAdapter(replace=OutcomeUnknown("no answer")), fence)
    assert asked.status == "SENT"
    new = {
        "cl_ord_id": asked.cl_ord_id,
        "broker_order_id": f"venue-{asked.cl_ord_id}",
        "order_qty": Decimal(5),
    }
    hear(order, make_fill(order, "5", cum_qty=Decimal(5), **new))
    assert (status_of(asked), order.ord_status, order.order_qty) == ("ACCEPTED", OrdStatus.FILLED, 5)


def test_a_replace_whose_answer_was_lost_is_found_by_the_next_check(order: Order, fence: Fence) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(20))
    send(asked, ScriptedAdapter(replace=OutcomeUnknown("no answer")), fence)
    old = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.REPLACED)
    new = replacing(order, asked, ExecType.ORDER_STATUS)
    check(order, fence, old, new)
    order.refresh_from_db()
    assert (status_of(asked), order.order_qty, order.ord_status) == ("ACCEPTED", 20, OrdStatus.NEW)
    assert order.broker_order_id == f"venue-{asked.cl_ord_id}"


def test_a_refused_replace_leaves_the_order_as_it_was(order: Order, fence: Fence) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(20))
    send(asked, ScriptedAdapter(replace=OrderRejected("no buying power")), fence)
    assert (asked.status, asked.text) == ("REFUSED", "no buying power")
    assert (asked.order.order_qty, asked.order.ord_status) == (10, OrdStatus.NEW)


def test_a_cancel_behind_an_open_replace_is_tried_again_where_it_is_refused(
    order: Order, fence: Fence
) -> None:
    replace = request(order, "REPLACE", order_qty=Decimal(20))
    send(replace, ScriptedAdapter(replace=OutcomeUnknown("no answer")), fence)
    cancel = send(request(order), ScriptedAdapter(cancel=OrderRejected("already replaced")), fence)
    assert (cancel.status, cancel.order.ord_status) == ("RECORDED", OrdStatus.NEW)
    new = {"cl_ord_id": replace.cl_ord_id, "broker_order_id": f"venue-{replace.cl_ord_id}"}
    hear(order, make_report(order, ExecType.NEW, order_qty=Decimal(20), **new))
    OrderRequest.objects.update(eligible_at=None)
    adapter = ScriptedAdapter()
    send(cancel, adapter, fence)
    assert adapter.requested[0].broker_order_id == f"venue-{replace.cl_ord_id}"


def test_a_replace_waits_until_the_broker_works_the_order(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, quantity="10", type="limit", price="100")
    adapter = ScriptedAdapter()
    asked = send(request(order, "REPLACE", order_qty=Decimal(20)), adapter, fence)
    assert (asked.status, adapter.requested) == ("RECORDED", [])


def test_a_replace_of_an_entry_that_waited_too_long_is_denied(
    order: Order, fence: Fence, settings: Any
) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(20))
    OrderRequest.objects.update(
        received_at=timezone.now() - dt.timedelta(seconds=settings.ENTRY_MAX_AGE_SECONDS + 1)
    )
    send(asked, ScriptedAdapter(), fence)
    assert (asked.status, asked.reason) == ("DENIED", "TOO_OLD")


def test_a_cancel_that_named_the_replaced_order_is_tried_again_under_the_new_one(
    order: Order, fence: Fence
) -> None:
    replace = request(order, "REPLACE", order_qty=Decimal(20))
    send(replace, ScriptedAdapter(replace=OutcomeUnknown("no answer")), fence)
    adapter = ScriptedAdapter()

    def cancel(*_: object, **__: object) -> None:
        hear(
            order, replacing(order, replace, ExecType.NEW)
        )  # the replace is confirmed before the refusal is read
        raise OrderRejected("already replaced")

    adapter.cancel_order = cancel  # type: ignore[method-assign]
    asked = send(request(order), adapter, fence)
    assert (asked.status, asked.order.working_cl_ord_id) == ("RECORDED", replace.cl_ord_id)
    OrderRequest.objects.update(eligible_at=None)
    second = ScriptedAdapter()
    assert send(asked, second, fence).status == "PENDING"
    assert second.requested[0].broker_order_id == f"venue-{replace.cl_ord_id}"


def test_a_sleepers_refusal_says_nothing_of_its_successors_attempt(order: Order, fence: Fence) -> None:
    asked = request(order)
    adapter = ScriptedAdapter()

    def cancel(*_: object, **__: object) -> None:
        OrderRequest.objects.filter(pk=asked.pk).update(attempt=2)  # while this one slept
        raise OrderRejected("not cancelable")

    adapter.cancel_order = cancel  # type: ignore[method-assign]
    send(asked, adapter, fence)
    assert (asked.status, asked.reason) == ("SENT", "")


def test_a_replace_that_arrives_after_it_was_given_up_is_what_the_order_is(
    order: Order, fence: Fence, settings: Any
) -> None:
    asked = request(order, "REPLACE", order_qty=Decimal(20), price=Decimal(101))
    OrderRequest.objects.update(status="DENIED", reason="TOO_OLD", answered_at=timezone.now(), attempt=1)
    hear(order, replacing(order, asked, ExecType.NEW))
    assert (status_of(asked), order.order_qty, order.price) == ("ACCEPTED", 20, 101)


def test_what_was_asked_at_the_brokers_own_site_holds_up_nothing(order: Order, fence: Fence) -> None:
    hear(order, make_report(order, ExecType.PENDING_CANCEL, ord_status=OrdStatus.PENDING_CANCEL))
    assert order.ord_status == OrdStatus.PENDING_CANCEL
    check(order, fence, make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW))
    asked = request(order, "REPLACE", order_qty=Decimal(20))
    order.refresh_from_db()
    send(asked, ScriptedAdapter(replace=lambda command: replacing(order, asked, ExecType.NEW)), fence)
    assert (asked.status, asked.order.order_qty) == ("ACCEPTED", 20)


def test_a_replace_at_the_brokers_own_site_leaves_the_order_its_id(order: Order) -> None:
    hear(order, make_report(order, ExecType.PENDING_REPLACE, ord_status=OrdStatus.PENDING_REPLACE))
    hear(order, make_report(order, ExecType.REPLACED, ord_status=OrdStatus.REPLACED, replaced_by="theirs"))
    assert order.working_cl_ord_id == order.cl_ord_id
    stranger = make_fill(order, "1", cl_ord_id="")
    assert apply_execution_report(stranger, account_id=order.account_id, origin=Origin("poll")) is None


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
