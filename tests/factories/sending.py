"""Orders on their way: what the worker's services do with them, and what the broker's stream tells."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from brokers.errors import OutcomeUnknown
from brokers.types import BeforeSend, ExecType, ExecutionReport, NewOrder
from orders.models import Order
from orders.services.changes import Origin
from orders.services.executions import Applied, apply_execution_reports
from orders.services.leases import Fence
from orders.services.submission import submit_order
from orders.services.verification import verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk

UNKNOWN = OutcomeUnknown("timeout")


def accepting(order: Order) -> Callable[[NewOrder], ExecutionReport]:
    """Return the answer of a broker that takes the order."""
    return lambda command: make_report(order, ExecType.NEW)


def accept(order: Order) -> ScriptedAdapter:
    return ScriptedAdapter(submit=accepting(order))


def submit(
    order: Order,
    adapter: ScriptedAdapter,
    fence: Fence,
    *heard: ExecutionReport,
    before_send: BeforeSend = lambda: None,
) -> Applied | None:
    """Have the worker send the order by this adapter; ``heard`` is what the stream tells meanwhile."""
    return submit_order(
        order.id,
        adapter=adapter,  # type: ignore[arg-type]
        fence=fence,
        before_send=before_send,
        heard=lambda: heard,
        dequeued_at=timezone.now(),
    )


def send_order(
    order: Order,
    fence: Fence,
    answer: Callable[[NewOrder], ExecutionReport] | BaseException,
    *heard: ExecutionReport,
) -> Order:
    """Have the worker send the order to a broker that answers like this; return it as it is then."""
    submit(order, ScriptedAdapter(submit=answer), fence, *heard)
    order.refresh_from_db()
    return order


def resting(desk: Desk, fence: Fence) -> Order:
    """Return a limit order of 10 that was sent and rests at the broker."""
    order = record_one(desk, quantity="10", type="limit", price="100")
    return send_order(order, fence, accepting(order))


def at_broker(desk: Desk, **fields: Any) -> Order:
    """Return an order of 10 that the broker has told of, a limit order unless the alert's fields say otherwise."""
    order = record_one(desk, **({"type": "limit", "price": "100"} | fields))
    return hear(order, make_report(order, ExecType.NEW))


def hold(desk: Desk, qty: str, action: str = "buy") -> None:
    """Give the trader a position."""
    order = record_one(desk, action=action, quantity=qty)
    hear(order, make_report(order, ExecType.NEW), make_fill(order, qty, exec_id=order.cl_ord_id))


def hear(order: Order, *reports: ExecutionReport) -> Order:
    """Have the broker's stream tell this of the order; return it as it is then."""
    apply_execution_reports(reports, account_id=order.account_id, origin=Origin("stream"))
    order.refresh_from_db()
    return order


def check(order: Order, fence: Fence, *listed: ExecutionReport) -> None:
    """Have the worker ask the broker for the order; it lists these."""
    order.refresh_from_db()
    adapter = ScriptedAdapter(listed=listed)
    verify_account(order.account_id, [order], adapter=adapter, fence=fence)  # type: ignore[arg-type]
