"""An order that was replaced is a chain of orders at the broker: its own, then one for each replace."""

import uuid
from enum import Enum, auto

from django.db.models import F

from brokers.types import ExecutionReport
from orders.models import Order, OrderRequest, OutsideId
from orders.rows import fetch_rows
from orders.services.changes import ORDER_COLUMNS, Change, state_of
from orders.state import RequestKind, RequestStage


class Link(Enum):
    """Which of them a report speaks of."""

    OLD = auto()  # replaced since; late fills may still come from it
    WORKING = auto()  # the last that the broker has confirmed
    NEW = auto()  # of a replace that is not confirmed yet


LOCK_BY_CL_ORD_ID = (
    f"SELECT {ORDER_COLUMNS} FROM orders_order"  # noqa: S608 - names of our own columns
    " WHERE account_id = %s AND cl_ord_id = %s FOR NO KEY UPDATE"
)


def order_of_link(account_id: uuid.UUID, cl_ord_id: str) -> Order | None:
    """Return the order that this client order id belongs to, its row locked; None where it is not ours."""
    if not cl_ord_id:
        return None  # a fill whose order the broker does not name
    for order in fetch_rows(Order, LOCK_BY_CL_ORD_ID, [account_id, cl_ord_id]):
        return order
    orders = Order.objects.select_for_update(no_key=True, of=("self",)).filter(account=account_id)
    # One that an operator had adopted, and one of somebody else's, goes by the id that the broker has for it.
    adopted = orders.filter(working_cl_ord_id=cl_ord_id).exclude(working_cl_ord_id=F("cl_ord_id")).first()
    if adopted is not None:
        return adopted
    replaces = OrderRequest.objects.filter(cl_ord_id=cl_ord_id, kind=OrderRequest.Kind.REPLACE)
    replaced = orders.filter(pk__in=replaces.values("order")).first()
    if replaced is not None:
        return replaced
    outside = OutsideId.objects.filter(account=account_id, cl_ord_id=cl_ord_id)
    return orders.filter(pk__in=outside.values("order")).first()


def link_of(change: Change, report: ExecutionReport) -> Link:
    """Say which link of the order's chain a report speaks of."""
    order = change.order
    if report.cl_ord_id == order.working_cl_ord_id:
        return Link.WORKING
    accepted = any(
        request.id == report.cl_ord_id and request.stage is RequestStage.ACCEPTED
        for request in change.state.requests
    )
    if accepted or report.cl_ord_id == order.cl_ord_id:
        return Link.OLD
    outside = OutsideId.objects.filter(order=order, cl_ord_id=report.cl_ord_id)
    return Link.OLD if outside.exists() else Link.NEW


def open_links(order: Order) -> list[str]:
    """Return the client order ids under which the broker may work the order now."""
    waiting = [request.id for request in state_of(order).open_requests if request.kind is RequestKind.REPLACE]
    return [order.working_cl_ord_id, *waiting]


def is_twin(order: Order, report: ExecutionReport) -> bool:
    """Say whether the broker has two orders of this id, and the report is of the other one.

    Not told of an order that was ever replaced, since a replace gives it a new id at the broker.
    """
    known, named = order.broker_order_id, report.broker_order_id
    replaced = order.working_cl_ord_id != order.cl_ord_id or report.replaces is not None
    return bool(known and named) and known != named and not replaced
