"""Orders that somebody else has placed or replaced in the trader's account: recorded, followed, never canceled."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.ids import cl_ord_id_of, new_id
from brokers.models import BrokerAccount
from brokers.types import ExecutionReport, OrdStatus, OrdType, PositionEffect, Side, TimeInForce
from failpoints import failpoint
from orders.models import ExitReason, Order, OrderRequest, OutsideId, ReconciliationRun, Source
from orders.reconciliation import TheirBooks, strangers
from orders.selectors import net_position
from orders.services.changes import Change, Origin, lock_order, project, write_event
from orders.services.executions import Applied, apply_execution_reports
from orders.services.following import next_check
from orders.services.journal import record_entry
from orders.services.leases import Fence, hold_lease
from orders.services.legs import is_of_unnamed_leg
from orders.services.reconciliation.findings import Kind, note_done, plain
from orders.services.retrying import retried
from orders.services.trouble import TROUBLE
from orders.state import OrderState, Replaced

log = structlog.get_logger(__name__)


def take_outside_orders(
    run: ReconciliationRun, books: TheirBooks, *, adapter: BrokerAdapter, fence: Fence
) -> list[Applied]:
    """Record every order at the broker that the desk does not know, with its fills; return what was applied.

    The parts of a bracket or an OCO are orders like any other. One that has taken the place of an order that the
    desk knows is that order, with other terms. One that cannot be recorded is logged, and the others go on.
    """
    applied = []
    for report in _unknown(run.account_id, books, adapter):
        fills = [fill for fill in books.executions if fill.broker_order_id == report.broker_order_id]
        if report.order_qty <= 0:
            continue  # by an amount of money, and not filled yet: its quantity is not known
        try:
            result = _take(run, report, fills, fence)
        except TROUBLE:
            log.exception("an outside order is in trouble", broker_order_id=report.broker_order_id)
            continue
        applied += [result] if result else []
    return applied


def _unknown(account_id: uuid.UUID, books: TheirBooks, adapter: BrokerAdapter) -> list[ExecutionReport]:
    """Return the orders that nobody here knows, also those of which only a fill is listed."""
    orders = list(books.orders)
    listed = {report.broker_order_id for report in orders}
    unlisted = {fill.broker_order_id for fill in books.executions} - listed
    unlisted -= _known_broker_ids(account_id, unlisted)
    for broker_order_id in sorted(unlisted):
        report = adapter.get_order_by_broker_id(broker_order_id)
        orders += [report] if report else []
    cl_ord_ids = {report.cl_ord_id for report in orders}
    broker_order_ids = {report.broker_order_id for report in orders}
    return strangers(
        orders, _known_cl_ord_ids(account_id, cl_ord_ids), _known_broker_ids(account_id, broker_order_ids)
    )


def _known_cl_ord_ids(account_id: uuid.UUID, ids: set[str]) -> set[str]:
    orders = Order.objects.filter(account=account_id)
    replaces = OrderRequest.objects.filter(order__account=account_id, kind=OrderRequest.Kind.REPLACE)
    outside = OutsideId.objects.filter(account=account_id)
    return {
        *orders.filter(cl_ord_id__in=ids).values_list("cl_ord_id", flat=True),
        *orders.filter(working_cl_ord_id__in=ids).values_list("working_cl_ord_id", flat=True),
        *replaces.filter(cl_ord_id__in=ids).values_list("cl_ord_id", flat=True),
        *outside.filter(cl_ord_id__in=ids).values_list("cl_ord_id", flat=True),
    }


def _known_broker_ids(account_id: uuid.UUID, ids: set[str]) -> set[str]:
    orders = Order.objects.filter(account=account_id, broker_order_id__in=ids)
    outside = OutsideId.objects.filter(account=account_id, broker_order_id__in=ids)
    return {
        *orders.values_list("broker_order_id", flat=True),
        *outside.values_list("broker_order_id", flat=True),
    }


@retried
def _take(
    run: ReconciliationRun, report: ExecutionReport, fills: Sequence[ExecutionReport], fence: Fence
) -> Applied | None:
    with transaction.atomic():
        original = _replaced_by(run.account_id, report)
        hold_lease(fence)
        account = BrokerAccount.objects.select_for_update(no_key=True).get(pk=run.account_id)
        if _known_broker_ids(account.pk, {report.broker_order_id}):
            return None  # recorded meanwhile
        if original is None and is_of_unnamed_leg(account.pk, report):
            return None  # the stop of an OCO of ours, whose id its look-up is about to tell
        origin, ours = Origin("reconciliation", fence), _terms(original)
        if original is None:
            write_outside_order(account, report, origin)
        else:
            _take_terms(original, report, origin)
        applied = apply_execution_reports([report, *fills], account_id=account.pk, origin=origin)
        if applied is not None:
            _note(run, applied.order, report, ours)
        failpoint("reconcile.outside.before_commit")
    failpoint("reconcile.outside.after_commit")
    return applied


def _replaced_by(account_id: uuid.UUID, report: ExecutionReport) -> Order | None:
    """Return the order whose place this one has taken, its row locked."""
    if not report.replaces:
        return None
    orders = Order.objects.filter(account=account_id)
    named = Q(broker_order_id=report.replaces) | Q(outside_ids__broker_order_id=report.replaces)
    order_id = orders.filter(named).values_list("pk", flat=True).first()
    return None if order_id is None else lock_order(order_id)


def _terms(order: Order | None) -> str:
    return "" if order is None else f"{order.side} {plain(order.order_qty)} {order.symbol}"


def _note(run: ReconciliationRun, order: Order, report: ExecutionReport, ours: str) -> None:
    theirs = f"{report.side} {plain(report.order_qty)} {report.symbol}, {report.ord_status}"
    if ours:
        done = "its new terms taken over"
        note_done(run, Kind.REPLACED_OUTSIDE, order=order, ours=ours, theirs=theirs, done=done)
    else:
        done = "recorded as an outside order, its fills counted"
        note_done(run, Kind.EXTERNAL_ORDER, order=order, theirs=theirs, done=done)


def _take_terms(order: Order, report: ExecutionReport, origin: Origin) -> None:
    """Have a locked order be what has taken its place at the broker."""
    for cl_ord_id, broker_order_id in (
        (order.working_cl_ord_id, order.broker_order_id),
        (report.cl_ord_id, report.broker_order_id),
    ):
        OutsideId.objects.get_or_create(
            account_id=order.account_id,
            broker_order_id=broker_order_id,
            defaults={"order": order, "cl_ord_id": cl_ord_id},
        )
    change = Change(order, origin)
    change.apply(Replaced(report.cl_ord_id, report.order_qty), at=report.transact_time)
    change.set(working_cl_ord_id=report.cl_ord_id, broker_order_id=report.broker_order_id)
    if order.price is not None and report.price:
        change.set(price=report.price)
    if order.stop_px is not None and report.stop_px:
        change.set(stop_px=report.stop_px)
    change.save()


def write_outside_order(
    account: BrokerAccount,
    report: ExecutionReport,
    origin: Origin,
    *,
    reason: str = "",
    text: str = "",
) -> Order:
    """Insert an order that somebody else has sent, as recorded; the broker's facts about it are applied next.

    Whether it opens or closes is told by the position that there is now. What it closes was closed by hand.
    """
    now, order_id, ord_type = timezone.now(), new_id(), _ord_type(report)
    trails = ord_type is OrdType.TRAILING_STOP
    order = Order(
        id=order_id,
        cl_ord_id=cl_ord_id_of(order_id),
        working_cl_ord_id=report.cl_ord_id or cl_ord_id_of(order_id),
        user_id=account.user_id,
        account=account,
        source=Source.EXTERNAL,
        simulation=account.simulation,
        symbol=report.symbol,
        side=report.side,
        ord_type=ord_type,
        time_in_force=report.time_in_force or TimeInForce.DAY,
        order_qty=report.order_qty,
        price=report.price if ord_type in (OrdType.LIMIT, OrdType.STOP_LIMIT) else None,
        stop_px=report.stop_px if ord_type in (OrdType.STOP, OrdType.STOP_LIMIT) else None,
        trail_offset=None if report.trail_percent or not trails else report.trail_offset,
        trail_percent=report.trail_percent if trails else None,
        position_effect=_position_effect(account, report),
        exit_reason=ExitReason.MANUAL_EXIT,
        ord_status=OrdStatus.INITIALIZED,
        reason=reason,
        text=text,
        received_at=now,
        recorded_at=now,
        submitted_at=report.transact_time,
    )
    project(order, OrderState(report.order_qty))
    order.next_check_at = next_check(order, now)
    order.save(force_insert=True)
    write_event(order, kind="Recorded", at=now, origin=origin, data={"order_qty": str(report.order_qty)})
    if order.position_effect == PositionEffect.OPEN:
        record_entry(order)
    if report.broker_order_id:
        OutsideId.objects.create(
            account=account,
            order=order,
            cl_ord_id=report.cl_ord_id,
            broker_order_id=report.broker_order_id,
        )
    return order


def _ord_type(report: ExecutionReport) -> OrdType:
    """Return the type; where the broker does not tell it, or not with its prices, what its prices make of it."""
    if report.ord_type is OrdType.TRAILING_STOP and (report.trail_offset or report.trail_percent):
        return OrdType.TRAILING_STOP
    if report.price:
        return OrdType.STOP_LIMIT if report.stop_px else OrdType.LIMIT
    return OrdType.STOP if report.stop_px else OrdType.MARKET


def _position_effect(account: BrokerAccount, report: ExecutionReport) -> PositionEffect:
    held = net_position(account, report.symbol)
    closes = held > 0 if report.side is Side.SELL else held < 0
    return PositionEffect.CLOSE if closes else PositionEffect.OPEN
