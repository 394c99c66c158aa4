"""Take in what the broker shows of orders that the desk knows: fills that were missed, ends that nobody heard of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import structlog
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.types import ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import Execution, Order, ReconciliationRun
from orders.reconciliation import TheirBooks, WorkingOrder, has_changed
from orders.services.changes import Origin
from orders.services.executions import Applied, apply_execution_reports
from orders.services.leases import Fence
from orders.services.links import order_of_link
from orders.services.reconciliation.findings import Kind, note_done, note_open, plain, settle_gone
from orders.services.retrying import retried
from orders.services.trouble import TROUBLE

log = structlog.get_logger(__name__)

ON_ITS_WAY = dt.timedelta(seconds=5)
"""What is younger is no finding: the stream is about to tell of it."""
NOT_ASKED = (OrdStatus.INITIALIZED, OrdStatus.SUBMITTED)
"""Not sent, or looked up by itself until its outcome is known."""


def take_missed_fills(run: ReconciliationRun, books: TheirBooks, fence: Fence) -> list[Applied]:
    """Apply the executions of known orders that the desk does not have; return what was applied."""
    known = set(
        Execution.objects.filter(
            account=run.account_id, exec_id__in=[fill.exec_id for fill in books.executions]
        ).values_list("exec_id", flat=True)
    )
    missed: dict[str, list[ExecutionReport]] = {}
    for fill in books.executions:
        if fill.exec_id not in known and fill.cl_ord_id:
            missed.setdefault(fill.cl_ord_id, []).append(fill)
    return list(_each(run, missed.values(), fence))


def take_changed_orders(
    run: ReconciliationRun, books: TheirBooks, *, adapter: BrokerAdapter, fence: Fence
) -> list[Applied]:
    """Apply what the broker shows of orders otherwise than their rows; tell of those that it does not have.

    An order that works here is asked for by itself where it is too old to be listed.
    """
    by_id = {report.cl_ord_id: report for report in books.orders}
    orders = Order.objects.filter(account=run.account_id).exclude(ord_status__in=NOT_ASKED)
    listed = {order.working_cl_ord_id: order for order in orders.filter(working_cl_ord_id__in=by_id)}
    changed = [[by_id[name]] for name, order in listed.items() if has_changed(_working(order), by_id[name])]
    for order in orders.filter(ended=False, next_check_at__isnull=False).exclude(working_cl_ord_id__in=by_id):
        report = adapter.get_order(order.working_cl_ord_id)
        failpoint("reconcile.asked")
        if report is None:
            _note_missing(run, order, books)
        elif has_changed(_working(order), report):
            changed.append([report])
    settle_gone(run, Kind.ORDER_MISSING)
    return list(_each(run, changed, fence))


def _each(
    run: ReconciliationRun, groups: Iterable[Sequence[ExecutionReport]], fence: Fence
) -> Iterator[Applied]:
    """Apply the reports of one order after another; one in trouble is logged, and the others go on."""
    for reports in groups:
        try:
            applied = _take(run, reports, fence)
        except TROUBLE:
            log.exception("a broker's fact is in trouble", cl_ord_id=reports[0].cl_ord_id)
            continue
        if applied is not None:
            yield applied


@retried
def _take(run: ReconciliationRun, reports: Sequence[ExecutionReport], fence: Fence) -> Applied | None:
    with transaction.atomic():
        order = order_of_link(run.account_id, reports[0].cl_ord_id)
        if order is None:
            return None  # an outside order that could not be recorded
        ours = _words(order.ord_status, order.cum_qty)
        applied = apply_execution_reports(
            reports, account_id=run.account_id, origin=Origin("reconciliation", fence)
        )
        if applied is not None and applied.changed and _is_late(reports):
            _note(run, applied.order, reports, ours)
        failpoint("reconcile.facts.before_commit")
    failpoint("reconcile.facts.after_commit")
    return applied


def _is_late(reports: Sequence[ExecutionReport]) -> bool:
    return min(report.transact_time for report in reports) < timezone.now() - ON_ITS_WAY


def _note(run: ReconciliationRun, order: Order, reports: Sequence[ExecutionReport], ours: str) -> None:
    last = reports[-1]
    if last.exec_id:
        quantity = sum((report.last_qty or Decimal(0) for report in reports), Decimal(0))
        theirs = f"{len(reports)} of {plain(quantity)} in all"
        note_done(run, Kind.MISSED_FILL, order=order, ours=ours, theirs=theirs, done="applied")
    else:
        theirs = _words(last.ord_status, last.cum_qty or Decimal(0))
        note_done(run, Kind.ORDER_CHANGED, order=order, ours=ours, theirs=theirs, done="applied")


def _note_missing(run: ReconciliationRun, order: Order, books: TheirBooks) -> None:
    """Tell of a working order that the broker has proved not to have."""
    heard_at = order.transact_time or order.recorded_at
    if heard_at > books.read_at - ON_ITS_WAY:
        return
    note_open(
        run,
        Kind.ORDER_MISSING,
        symbol=order.symbol,
        order=order,
        ours=_words(order.ord_status, order.cum_qty),
        theirs="no such order",
        done="entries of the account are halted until it is explained",
    )


def _words(ord_status: str, cum_qty: Decimal) -> str:
    return f"{ord_status}, {plain(cum_qty)} filled"


def _working(order: Order) -> WorkingOrder:
    return WorkingOrder(OrdStatus(order.ord_status), order.order_qty, order.cum_qty, order.ended)
