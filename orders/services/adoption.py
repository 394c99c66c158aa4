"""The worker's part of an adoption: look at the broker's order that an operator has named, and take it or refuse it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import NotSent, OutcomeUnknown
from brokers.types import ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Order, OrderEvent
from orders.services.attention import resolve_items, retell_item
from orders.services.changes import Origin, lock_order, write_event
from orders.services.executions import Applied, apply_execution_reports
from orders.services.leases import Fence
from orders.services.retrying import retried
from orders.services.verification import SINCE_MARGIN, note_check

CLOCK_MARGIN = dt.timedelta(minutes=1)
"""So far the broker's clock may be behind ours; an order that is older than that is not the one that was sent."""
REQUESTED, REFUSED, ADOPTED = "AdoptRequested", "AdoptRefused", "Adopted"


@dataclass(frozen=True, slots=True)
class Wish:
    """An operator says that this order of the broker's is ours; nobody has looked at it yet."""

    broker_order_id: str
    operator_id: int
    reason: str
    submitted_at: dt.datetime


def wished_adoption(order: Order) -> Wish | None:
    """Return the operator's wish about this sending of the order; None where there is none, or it was answered."""
    events = OrderEvent.objects.filter(order=order.id, kind__in=[REQUESTED, REFUSED])
    last = events.order_by("-id").first()
    if last is None or last.kind == REFUSED or last.data["attempt"] != order.attempt:
        return None
    data = last.data
    since = order.submitted_at or order.recorded_at
    return Wish(data["broker_order_id"], data["operator_id"], data["reason"], since)


def adopt_wished(order: Order, wish: Wish, *, adapter: BrokerAdapter, fence: Fence) -> Applied | None:
    """Take over the broker's order that the operator has named, with its fills, where it can be ours.

    Anything that does not fit refuses it: the order stays unknown and its item on the attention list open.
    Returns what was applied, or None.
    """
    failpoint("adopt.before")
    try:
        report = adapter.get_order_by_broker_id(wish.broker_order_id)
        fills = [] if report is None else _fills_of(report, wish, adapter)
        failpoint("adopt.after")
    except (OutcomeUnknown, NotSent) as error:
        note_check(order.id, f"look-up failed: {error}"[:200])
        return None
    return _take_or_refuse(order.id, wish, report, fills, fence)


@retried
def _take_or_refuse(
    order_id: uuid.UUID,
    wish: Wish,
    report: ExecutionReport | None,
    fills: Sequence[ExecutionReport],
    fence: Fence,
) -> Applied | None:
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.SUBMITTED:
            return None  # a report has settled it meanwhile
        misfit = "the broker has no order of that id" if report is None else _misfit(order, report, wish)
        applied = None
        if report is None or misfit:
            _refuse(order, wish, misfit, fence)
        else:
            applied = _take(order, wish, [report, *fills], fence)
        failpoint("adopt.before_commit")
    failpoint("adopt.after_commit")
    return applied


def _fills_of(report: ExecutionReport, wish: Wish, adapter: BrokerAdapter) -> list[ExecutionReport]:
    if not report.cum_qty:
        return []
    fills = adapter.list_executions(since=wish.submitted_at - SINCE_MARGIN)
    failpoint("adopt.fills")
    return [fill for fill in fills if fill.broker_order_id == report.broker_order_id]


def _misfit(order: Order, report: ExecutionReport, wish: Wish) -> str:
    """Say why the broker's order cannot be this one; '' where it can."""
    pairs = (
        ("symbol", order.symbol, report.symbol),
        ("side", order.side, report.side),
        ("quantity", order.order_qty, report.order_qty),
    )
    for name, ours, theirs in pairs:
        if ours != theirs:
            return f"its {name} is {theirs}, and the order's is {ours}"
    if report.transact_time < wish.submitted_at - CLOCK_MARGIN:
        return f"it last changed at {report.transact_time:%Y-%m-%d %H:%M:%S} UTC, before the order was sent"
    others = Order.objects.filter(account=order.account_id).exclude(pk=order.pk)
    if others.filter(broker_order_id=report.broker_order_id).exists():
        return "another order of the desk has it"
    if report.cl_ord_id != order.cl_ord_id and others.filter(cl_ord_id=report.cl_ord_id).exists():
        return "it carries the client order id of another order of the desk"
    return ""


def _take(order: Order, wish: Wish, reports: list[ExecutionReport], fence: Fence) -> Applied | None:
    """Apply the broker's order to ours, by the door that all facts go through, in one transaction with the rest."""
    theirs = reports[0]
    data = {"broker_order_id": theirs.broker_order_id, "cl_ord_id": theirs.cl_ord_id}
    write_event(order, kind=ADOPTED, at=timezone.now(), origin=Origin("lookup", fence), data=data)
    resolve_items(
        order,
        operator_id=wish.operator_id,
        resolution=f"adopted {theirs.broker_order_id}: {wish.reason}",
        kinds=[AttentionItem.Kind.OUTCOME_UNKNOWN, AttentionItem.Kind.DUPLICATE_AT_BROKER],
    )
    # The door knows our orders by our ids.
    ours = [replace(report, cl_ord_id=order.cl_ord_id) for report in reports]
    applied = apply_execution_reports(ours, account_id=order.account_id, origin=Origin("lookup", fence))
    if applied is not None and theirs.cl_ord_id and theirs.cl_ord_id != order.cl_ord_id:
        # From now on the broker's reports of it come under this id.
        Order.objects.filter(pk=order.pk).update(working_cl_ord_id=theirs.cl_ord_id)
        applied.order.working_cl_ord_id = theirs.cl_ord_id
    return applied


def _refuse(order: Order, wish: Wish, why: str, fence: Fence) -> None:
    data = {"broker_order_id": wish.broker_order_id, "why": why}
    write_event(order, kind=REFUSED, at=timezone.now(), origin=Origin("lookup", fence), data=data)
    detail = f"{wish.broker_order_id} was not adopted: {why}"
    retell_item(AttentionItem.Kind.OUTCOME_UNKNOWN, order=order, detail=detail)
    note_check(order.id, "")
