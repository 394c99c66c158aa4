"""Replaces on their way: the broker puts another order in the place of the one it has, and both are one for us."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.errors import OrderRejected, OutcomeUnknown
from brokers.types import ExecType, OrdStatus
from orders.models import Order, OrderRequest
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.requests import replacing, request, send, status_of
from tests.factories.sending import check, hear
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db


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
    assert asked.status == "REFUSED"
    assert asked.text.endswith("The broker says: no buying power.")
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
