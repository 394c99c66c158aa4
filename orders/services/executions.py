"""The only door for a broker's facts, whichever way they come: answer, stream, poll or reconciliation."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import ExecType, ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Errand, Execution, Order, OrderEvent
from orders.services.attention import close_items, open_item
from orders.services.changes import Change, Origin
from orders.services.duplicates import alarm_duplicates
from orders.services.errands import write_errand
from orders.services.links import Link, link_of, order_of_link
from orders.services.retrying import retried
from orders.state import (
    Acknowledged,
    Bust,
    Canceled,
    CancelRejected,
    Correction,
    DoneForDay,
    Event,
    Expired,
    PendingCancel,
    PendingNew,
    PendingReplace,
    Rejected,
    Replaced,
    ReplaceRejected,
    RequestKind,
    Restated,
    StatusReport,
    Stopped,
    Suspended,
    Trade,
    Triggered,
)

FILLS = frozenset({ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL})
REFUSALS = {
    ExecType.CANCEL_REJECTED: CancelRejected.__name__,
    ExecType.REPLACE_REJECTED: ReplaceRejected.__name__,
}
"""Refusals of what we have asked for, and as what history has them."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a report has done: the order as it stands after the commit."""

    order: Order
    changed: bool
    missing_fills: bool  # the broker counts more than we do: ask for the executions
    answered: tuple[uuid.UUID, ...] = ()  # our requests about it that this has answered


def apply_execution_report(
    report: ExecutionReport, *, account_id: uuid.UUID, origin: Origin
) -> Applied | None:
    """Apply one report; see ``apply_execution_reports``."""
    return apply_execution_reports([report], account_id=account_id, origin=origin)


@retried
def apply_execution_reports(
    reports: Sequence[ExecutionReport], *, account_id: uuid.UUID, origin: Origin
) -> Applied | None:
    """Apply reports of one order, in order: dedupe, state, row, executions, history, in one transaction.

    Returns None for an order that the desk does not know: the account is to be compared with its broker, which records
    it. Calling it twice with the same report
    is safe and changes nothing. Facts need no lease: they are true whoever brings them.
    """
    with transaction.atomic():
        order = order_of_link(account_id, reports[0].cl_ord_id)
        if order is None:
            _ask_to_compare(reports[0], account_id)
            return None
        was_denied, was_checked = order.ord_status == OrdStatus.DENIED, order.checks > 0
        was_followed = order.ended and order.next_check_at is not None
        change = Change(order, origin)
        for report in reports:
            if report.exec_type not in FILLS or _write_execution(change, report):
                _take(change, report)
        # A fact that names more than we have counted must not end our asking.
        missing_fills = max((report.cum_qty or 0) for report in reports) > order.cum_qty
        # Nor must a fill that comes after an end for which we still ask: only the broker's own total ends that.
        unsure = was_followed and not any(_confirms_total(order, report) for report in reports)
        change.save(keep_following=missing_fills or unsure)
        if change.changed:
            if was_checked or _may_have_items(order):
                _settle_attention(order)
            if change.state.overfilled:
                detail = f"{order.cum_qty} of {order.order_qty}"
                open_item(AttentionItem.Kind.OVERFILL, order=order, detail=detail)
        if was_denied and order.ord_status != OrdStatus.DENIED:
            detail = f"denied ({order.reason}), and at the broker it is {order.ord_status}"
            open_item(AttentionItem.Kind.DENIED_BUT_SENT, order=order, detail=detail)
        for report in reports:
            _alarm_if_less(order, report)
        failpoint("report.before_commit")
    failpoint("report.after_commit")
    return Applied(order, change.changed, missing_fills, change.answered)


def _confirms_total(order: Order, report: ExecutionReport) -> bool:
    """Say whether the broker, asked for the order, counts what we count."""
    return report.exec_type not in FILLS and report.cum_qty == order.cum_qty


def _alarm_if_less(order: Order, report: ExecutionReport) -> None:
    """Tell of a broker that, asked for the order, counts less than we do: a bust of a fill was lost, or more.

    An answer from before the last fact that we have may well name less. Nothing is told of an order that was ever
    replaced, nor of one that the broker has twice: there the total of one of its orders is not ours.
    """
    if report.exec_type is not ExecType.ORDER_STATUS or report.cum_qty is None or report.replaces is not None:
        return
    was_replaced = order.working_cl_ord_id != order.cl_ord_id
    is_old = order.transact_time is not None and report.transact_time < order.transact_time
    if report.cum_qty >= order.cum_qty or was_replaced or is_old:
        return
    twice = AttentionItem.objects.filter(order=order, kind=AttentionItem.Kind.DUPLICATE_AT_BROKER)
    if not twice.exists():
        detail = f"the broker counts {report.cum_qty.normalize():f}, the desk {order.cum_qty.normalize():f}"
        open_item(AttentionItem.Kind.BROKER_COUNTS_LESS, order=order, detail=detail)


def _take(change: Change, report: ExecutionReport) -> None:
    """Apply what a report says of the order, given which link of its chain of replaces it speaks of."""
    order, link = change.order, link_of(change, report)
    if _is_repeated_refusal(order, report):
        return
    if link is Link.OLD and report.exec_type not in FILLS:
        return  # what has become of a replaced order is known
    if link is Link.WORKING and _is_twin(order, report):
        _take_of_twin(change, report)
        return
    if link is Link.WORKING and _says_replaced(report):
        _take_replaced(change, report)
        return
    event = event_of(report)
    if link is Link.NEW:
        answer = _answer_to_replace(report)
        change.apply(answer, at=report.transact_time)
        if not isinstance(answer, Replaced):
            return
        change.set(working_cl_ord_id=report.cl_ord_id)
    change.apply(event, at=report.transact_time)
    if report.broker_order_id and link is not Link.OLD:
        change.set(broker_order_id=report.broker_order_id)
    if isinstance(event, Rejected):
        change.set(reason="REJECTED_BY_BROKER")
    _take_words(change, report)


def _is_repeated_refusal(order: Order, report: ExecutionReport) -> bool:
    """Say whether a refusal was taken in before.

    It names the order, not the cancel or replace that it refuses: told again, it would refuse what was asked since.
    """
    kind = REFUSALS.get(report.exec_type)
    if kind is None:
        return False
    return OrderEvent.objects.filter(order=order, kind=kind, at=report.transact_time).exists()


def _take_words(change: Change, report: ExecutionReport) -> None:
    order = change.order
    if order.transact_time is None or report.transact_time > order.transact_time:
        change.set(transact_time=report.transact_time)
    if report.text:
        change.set(text=report.text[:500])


def _is_twin(order: Order, report: ExecutionReport) -> bool:
    """Say whether the broker has two orders of this id, and the report is of the other one.

    Not told of an order that was ever replaced, since a replace gives it a new id at the broker.
    """
    known, named = order.broker_order_id, report.broker_order_id
    replaced = order.working_cl_ord_id != order.cl_ord_id or report.replaces is not None
    return bool(known and named) and known != named and not replaced


def _take_of_twin(change: Change, report: ExecutionReport) -> None:
    """Tell of the other order; what becomes of it says nothing of ours, but its fills are the trader's all the same."""
    alarm_duplicates(change.order, [change.order.broker_order_id, report.broker_order_id])
    if report.exec_type in FILLS:
        change.apply(event_of(report), at=report.transact_time)


def _says_replaced(report: ExecutionReport) -> bool:
    by_status = report.exec_type is ExecType.ORDER_STATUS and report.ord_status is OrdStatus.REPLACED
    return by_status or report.exec_type is ExecType.REPLACED


def _take_replaced(change: Change, report: ExecutionReport) -> None:
    """Take in that the working order has been replaced: by our open request, or at the broker's own site.

    The report carries the old order's terms, so the new quantity is the request's.
    """
    replaces = (one for one in change.state.open_requests if one.kind is RequestKind.REPLACE)
    ours = next((one for one in replaces if one.id), None)  # one without an id is not of the desk
    if ours is None:
        change.apply(Replaced(), at=report.transact_time)
        return
    change.apply(Replaced(ours.id, ours.order_qty), at=report.transact_time)
    change.set(working_cl_ord_id=ours.id)
    if report.replaced_by:
        change.set(broker_order_id=report.replaced_by)


def _answer_to_replace(report: ExecutionReport) -> Event:
    """Say what a report of the replacing order means for the replace that asked for it."""
    if report.ord_status is OrdStatus.PENDING_NEW:
        return PendingReplace(report.cl_ord_id)
    if report.ord_status is OrdStatus.REJECTED:
        return ReplaceRejected(report.cl_ord_id, reason=report.text)
    return Replaced(report.cl_ord_id, report.order_qty)


def _settle_attention(order: Order) -> None:
    """Close what has settled itself."""
    if order.ended:
        close_items(order, "settled by the broker's report")
    elif order.ord_status != OrdStatus.SUBMITTED:
        close_items(order, "the order was found at the broker", kind=AttentionItem.Kind.OUTCOME_UNKNOWN)


def _may_have_items(order: Order) -> bool:
    """Spare the usual order a look at the list: nothing is put there before a first check or a second attempt."""
    age = timezone.now() - order.recorded_at
    return order.attempt > 1 or age.total_seconds() >= settings.VERIFY_FIRST_SECONDS


def _write_execution(change: Change, report: ExecutionReport) -> bool:
    """Insert the execution; return False where this account already has it."""
    if not report.exec_id:
        raise ValueError(f"a {report.exec_type} report without an exec id")
    order = change.order
    row = Execution(
        user_id=order.user_id,
        account_id=order.account_id,
        order=order,
        exec_id=report.exec_id,
        exec_ref_id=report.exec_ref_id or "",
        exec_type=report.exec_type,
        symbol=order.symbol,
        side=order.side,
        last_qty=report.last_qty or 0,
        last_px=report.last_px or 0,
        cum_qty=report.cum_qty,
        fee=report.commission or 0,
        transact_time=report.transact_time,
    )
    # The order's row is locked and an exec id belongs to one order, so looking first is no race.
    known = _is_known(change, report)
    if not known:
        change.record_execution(row)
    return not known


KNOWN_AS = """
SELECT exec_id FROM orders_execution WHERE account_id = %(account)s AND exec_id = %(exec_id)s
UNION ALL
SELECT exec_id FROM orders_execution
WHERE %(by_total)s AND account_id = %(account)s AND order_id = %(order)s AND exec_type = 'TRADE'
  AND cum_qty = %(cum_qty)s AND last_qty = %(last_qty)s AND last_px = %(last_px)s
"""


def _is_known(change: Change, report: ExecutionReport) -> bool:
    """Say whether this is a fill that we have: by its exec id, or by the broker's own running total.

    The second guards against a broker whose stream and history name a fill differently: two fills of one order never
    leave the same total behind with the same quantity and price, but where the first was busted, or where the broker
    has two orders of one id.
    """
    order = change.order
    by_total = (
        report.exec_type is ExecType.TRADE and report.cum_qty is not None and not _is_twin(order, report)
    )
    values = {
        "account": order.account_id,
        "exec_id": report.exec_id,
        "order": order.id,
        "by_total": by_total,
        "cum_qty": report.cum_qty or 0,
        "last_qty": report.last_qty or 0,
        "last_px": report.last_px or 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_AS, values)
        found = [exec_id for (exec_id,) in cursor.fetchall()]
    counted = {name for fill in change.state.fills for name in (fill.exec_id, *fill.supersedes)}
    return any(exec_id == report.exec_id or exec_id in counted for exec_id in found)


def _ask_to_compare(report: ExecutionReport, account_id: uuid.UUID) -> None:
    """Have somebody else's order looked at; one that the broker cannot name is for a person to look at."""
    account = BrokerAccount.objects.get(pk=account_id)
    if report.cl_ord_id:
        write_errand(user_id=account.user_id, account_id=account_id, kind=Errand.Kind.RECONCILE)
        return
    open_item(
        AttentionItem.Kind.UNMATCHED_REPORT,
        user_id=account.user_id,
        detail=f"{report.exec_type} {report.symbol} ({report.broker_order_id}) in {account.label}",
    )


def event_of(report: ExecutionReport) -> Event:
    """Translate a report into the state machine's event."""
    return EVENTS[report.exec_type](report)


def _status_event(report: ExecutionReport) -> Event:
    # A broker that lists the order as rejected knows it; the state machine's REJECTED would mean "unknown order".
    return (
        Rejected(report.text) if report.ord_status is OrdStatus.REJECTED else StatusReport(report.ord_status)
    )


def _fill_event(report: ExecutionReport) -> Event:
    exec_id, ref_id = report.exec_id or "", report.exec_ref_id or ""
    last_qty, last_px = report.last_qty, report.last_px
    if report.exec_type is ExecType.TRADE_CANCEL:
        return Bust(exec_id, ref_id)
    if last_qty is None or last_px is None:
        raise ValueError(f"a {report.exec_type} report without quantity or price")
    if report.exec_type is ExecType.TRADE:
        return Trade(exec_id, last_qty, last_px)
    return Correction(exec_id, ref_id, last_qty, last_px)


EVENTS: dict[ExecType, Callable[[ExecutionReport], Event]] = {
    ExecType.PENDING_NEW: lambda report: PendingNew(),
    ExecType.NEW: lambda report: Acknowledged(),
    ExecType.TRADE: _fill_event,
    ExecType.TRADE_CORRECT: _fill_event,
    ExecType.TRADE_CANCEL: _fill_event,
    # Brokers name the order here, not our request; the state machine takes the oldest that fits.
    ExecType.PENDING_CANCEL: lambda report: PendingCancel(),
    ExecType.CANCELED: lambda report: Canceled(),
    ExecType.CANCEL_REJECTED: lambda report: CancelRejected(reason=report.text),
    ExecType.PENDING_REPLACE: lambda report: PendingReplace(),
    ExecType.REPLACED: lambda report: Replaced(order_qty=report.order_qty),
    ExecType.REPLACE_REJECTED: lambda report: ReplaceRejected(reason=report.text),
    ExecType.RESTATED: lambda report: Restated(report.order_qty, report.cum_qty),
    ExecType.DONE_FOR_DAY: lambda report: DoneForDay(),
    ExecType.EXPIRED: lambda report: Expired(),
    ExecType.STOPPED: lambda report: Stopped(),
    ExecType.SUSPENDED: lambda report: Suspended(),
    ExecType.TRIGGERED: lambda report: Triggered(),
    ExecType.REJECTED: lambda report: Rejected(report.text),
    ExecType.ORDER_STATUS: _status_event,
}
