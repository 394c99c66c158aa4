"""Positions with protective exits, step by step as the trader's worker brings them about."""

from decimal import Decimal
from typing import Any

from brokers.paper.factory import CAPABILITIES
from brokers.types import Capabilities, ExecType, ExecutionReport, OrdStatus
from orders.models import Errand, Leg, Order, OrderRequest
from orders.selectors import errands_due
from orders.services.leases import Fence
from orders.services.protecting import protect_position
from orders.services.request_sending import send_request
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import accepting, hear, send_order, submit
from tests.factories.traders import Desk

BOTH = {"stop_loss": {"percent": "2"}, "take_profit": {"percent": "4"}}


def protect(desk: Desk, fence: Fence, capabilities: Capabilities = CAPABILITIES) -> float | None:
    """Have the worker look at the position; return when it wants to look again."""
    errands = {errand.symbol for errand in errands_due(desk.user.id)}
    assert errands == {"AAPL"}, "nobody has asked for it"
    Errand.objects.filter(user=desk.user).delete()
    done = protect_position(account_id=desk.account.id, symbol="AAPL", capabilities=capabilities, fence=fence)
    return done.again_in_seconds


def legs(desk: Desk, **wanted: Any) -> dict[str, Order]:
    """Return the open protective exits by kind; there are never two of one."""
    rows = list(Order.objects.filter(account=desk.account, ended=False, leg__in=list(Leg), **wanted))
    by_kind = {order.leg: order for order in rows}
    assert len(by_kind) == len(rows)
    return by_kind


def oco_answer(target: Order, stop: Order, **fields: Any) -> Any:
    """Return the answer of a broker that takes both, and gives the stop ids of its own."""
    leg = make_report(
        stop,
        ExecType.ORDER_STATUS,
        cl_ord_id="venue-chose-this",
        broker_order_id="venue-stop",
        ord_status=OrdStatus.PENDING_NEW,
    )
    return lambda command: make_report(target, ExecType.NEW, legs=(leg,), **fields)


def send_pair(desk: Desk, fence: Fence) -> tuple[Order, Order]:
    """Have the worker send the OCO; return target and stop."""
    target, stop = legs(desk)["TAKE_PROFIT"], legs(desk)["STOP_LOSS"]
    adapter = ScriptedAdapter(submit=oco_answer(target, stop))
    submit(target, adapter, fence)
    target.refresh_from_db()
    stop.refresh_from_db()
    assert [command.oco_stop_px for command in adapter.sent] == [stop.stop_px]
    return target, stop


def stop_report(stop: Order, exec_type: ExecType, **fields: Any) -> ExecutionReport:
    ids = {"cl_ord_id": stop.working_cl_ord_id, "broker_order_id": stop.broker_order_id}
    return make_report(stop, exec_type, **(ids | fields))


def stop_fill(stop: Order, qty: str, price: str = "98", exec_id: str = "s1") -> ExecutionReport:
    fields = {"last_qty": Decimal(qty), "last_px": Decimal(price), "ord_status": OrdStatus.PARTIALLY_FILLED}
    return stop_report(stop, ExecType.TRADE, exec_id=exec_id, **fields)


def entered(desk: Desk, fence: Fence, qty: str = "10", **fields: Any) -> Order:
    """Return an entry of 10, of which so many were filled at 100."""
    order = record_one(desk, quantity="10", **(BOTH | fields))
    send_order(order, fence, accepting(order))
    return hear(order, make_fill(order, qty, exec_id="e1"))


def covered(desk: Desk, fence: Fence, **fields: Any) -> tuple[Order, Order]:
    """Return target and stop of a position of 10 whose OCO rests."""
    entered(desk, fence, **fields)
    protect(desk, fence)
    pair = send_pair(desk, fence)
    Errand.objects.all().delete()
    return pair


def send_cancel(order: Order, fence: Fence) -> None:
    """Have the worker send the cancel of this order that is recorded."""
    request = OrderRequest.objects.get(order=order, kind="CANCEL", status="RECORDED")
    send_request(request.id, adapter=ScriptedAdapter(), fence=fence, before_send=lambda: None)  # type: ignore[arg-type]


def look(desk: Desk, fence: Fence) -> float | None:
    """Look at the position whether or not anybody has asked for it."""
    place = {"account_id": desk.account.id, "symbol": "AAPL"}
    return protect_position(**place, capabilities=CAPABILITIES, fence=fence).again_in_seconds
