"""Fills that come after the end of their order, one by one: none is given up before the broker's total is reached."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.models import Order
from orders.services import verification
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence
from orders.services.lookup import look_up_order
from orders.services.submission import submit_order
from orders.services.verification import verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture
def fence(desk: Desk) -> Fence:
    return lease_of(desk)


def send(order: Order, fence: Fence, submit: Any) -> None:
    adapter = ScriptedAdapter(submit=submit)
    submit_order(
        order.id,
        adapter=adapter,
        fence=fence,
        before_send=lambda: None,
        heard=tuple,
        dequeued_at=timezone.now(),
    )
    order.refresh_from_db()


def two_fills(order: Order) -> list[ExecutionReport]:
    return [
        make_fill(order, "2", exec_id="a", cum_qty=Decimal(2)),
        make_fill(order, "3", exec_id="b", cum_qty=Decimal(5)),
    ]


def status_of(order: Order, status: OrdStatus, cum_qty: int) -> ExecutionReport:
    return make_report(order, ExecType.ORDER_STATUS, ord_status=status, cum_qty=Decimal(cum_qty))


def test_a_stream_that_is_cut_between_two_late_fills_leaves_the_order_followed(
    desk: Desk, fence: Fence
) -> None:
    order = record_one(desk, quantity="10", type="limit", price="100")
    send(order, fence, lambda _: make_report(order, ExecType.NEW))
    canceled = make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED, cum_qty=Decimal(5))
    for report in (canceled, two_fills(order)[0]):
        apply_execution_report(report, account_id=desk.account.id, origin=Origin("stream"))
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty) == ("CANCELED", 2)
    assert order.next_check_at is not None, "the broker told of 5"

    broker = ScriptedAdapter(listed=[status_of(order, OrdStatus.CANCELED, 5)], executions=two_fills(order))
    verify_account(order.account_id, [order], adapter=broker, fence=fence)
    order.refresh_from_db()
    assert order.cum_qty == 5
    verify_account(order.account_id, [order], adapter=broker, fence=fence)
    order.refresh_from_db()
    assert order.next_check_at is None, "both count the same: nothing is left to ask"


def test_a_process_killed_between_two_late_fills_leaves_the_order_followed(
    desk: Desk, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = record_one(desk, quantity="10", type="limit", price="100")
    send(order, fence, OutcomeUnknown("killed"))
    status = status_of(order, OrdStatus.CANCELED, 5)
    broker = ScriptedAdapter(found=status, listed=[status], executions=two_fills(order))
    apply, calls = verification.apply_execution_report, []

    def killed_at_the_second(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return apply(*args, **kwargs)

    monkeypatch.setattr(verification, "apply_execution_report", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        look_up_order(order, adapter=broker, fence=fence)
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty) == ("CANCELED", 2)
    assert order.next_check_at is not None


class Dated(ScriptedAdapter):
    """A broker that lists only what is not older than asked for, by its own clock."""

    def list_orders(self, *, since: dt.datetime, cl_ord_ids: Sequence[str] = ()) -> list[ExecutionReport]:
        return [one for one in self.listed if one.transact_time >= since]

    def list_executions(self, *, since: dt.datetime) -> list[ExecutionReport]:
        return [one for one in self.executions if one.transact_time >= since]


def test_what_was_sent_while_our_clock_was_five_minutes_ahead_is_listed(
    desk: Desk, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now
    with monkeypatch.context() as ahead:
        ahead.setattr(timezone, "now", lambda: now() + dt.timedelta(minutes=5))
        order = record_one(desk, quantity="10", type="limit", price="100")
        send(order, fence, lambda _: make_report(order, ExecType.NEW))
    broker = Dated(
        listed=[status_of(order, OrdStatus.FILLED, 10)],
        executions=[make_fill(order, "10", cum_qty=Decimal(10))],
    )
    verify_account(order.account_id, [order], adapter=broker, fence=fence)
    order.refresh_from_db()
    assert order.cum_qty == 10
