"""The only door for a broker's facts, whichever way they come: answer, stream, poll or reconciliation."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import ExecType, ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Errand, Leg, Order, OrderEvent
from orders.services.attention import close_items, open_item
from orders.services.changes import Change, Origin, lock_sent_with
from orders.services.duplicates import alarm_duplicates
from orders.services.errands import write_errand
from orders.services.execution_rows import write_execution
from orders.services.legs import is_of_unnamed_leg, take_cut, take_legs
from orders.services.links import Link, is_twin, link_of, order_of_link
from orders.services.refusals import LONGEST_TEXT, take_refusal, tell_refused_requests
from orders.services.report_events import FILLS, REFUSALS, answer_to_replace, event_of, says_replaced
from orders.services.retrying import retried
from orders.state import Rejected, Replaced, RequestKind


@dataclass(frozen=True, slots=True)
class Applied:
    """What a report has done: the order as it stands after the commit."""

    order: Order
    changed: bool
    missing_fills: bool  # the broker counts more than we do: ask for the executions
    answered: tuple[uuid.UUID, ...] = ()  # our requests about it that this has answered
    tends: bool = False  # its position has to be looked at: an errand says so


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
        order = _locked_order(account_id, reports[0])
        if order is None:
            return None
        was_denied, was_checked = order.ord_status == OrdStatus.DENIED, order.checks > 0
        was_followed = order.ended and order.next_check_at is not None
        change = Change(order, origin)
        for report in reports:
            if report.exec_type not in FILLS or write_execution(change, report):
                _take(change, report)
        # A fact that names more than we have counted must not end our asking.
        missing_fills = max((report.cum_qty or 0) for report in reports) > order.cum_qty
        # Nor must a fill that comes after an end for which we still ask: only the broker's own total ends that.
        unsure = was_followed and not any(_confirms_total(order, report) for report in reports)
        change.save(keep_following=missing_fills or unsure)
        tell_refused_requests(order, change.answered, reports)
        tends = take_legs(order, reports, origin, _take) or change.tends
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
    return Applied(order, change.changed, missing_fills, change.answered, tends)


def _locked_order(account_id: uuid.UUID, report: ExecutionReport) -> Order | None:
    """Return the order that a report is of, its row locked; None for one that the desk does not know."""
    order = order_of_link(account_id, report.cl_ord_id)
    if order is None and not is_of_unnamed_leg(account_id, report):
        order = order_of_link(account_id, report.cl_ord_id)  # it may have been named while we looked
        if order is None:
            _ask_to_compare(report, account_id)
    if order is not None and order.leg == Leg.TAKE_PROFIT:
        lock_sent_with(order)  # before the position, since it may have to share what is told
    return order


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
    if link is Link.WORKING and is_twin(order, report):
        _take_of_twin(change, report)
        return
    if link is Link.WORKING and says_replaced(report):
        _take_replaced(change, report)
        return
    take_cut(change, report)
    event = event_of(report)
    if link is Link.NEW:
        answer = answer_to_replace(report)
        change.apply(answer, at=report.transact_time)
        if not isinstance(answer, Replaced):
            return
        change.set(working_cl_ord_id=report.cl_ord_id)
    is_news = change.apply(event, at=report.transact_time)
    if report.broker_order_id and link is not Link.OLD:
        change.set(broker_order_id=report.broker_order_id)
    _take_time(change, report)
    if isinstance(event, Rejected):
        take_refusal(change, report, is_news=is_news)
    elif report.text:
        change.set(text=report.text[:LONGEST_TEXT])


def _is_repeated_refusal(order: Order, report: ExecutionReport) -> bool:
    """Say whether a refusal was taken in before.

    It names the order, not the cancel or replace that it refuses: told again, it would refuse what was asked since.
    """
    kind = REFUSALS.get(report.exec_type)
    if kind is None:
        return False
    return OrderEvent.objects.filter(order=order, kind=kind, at=report.transact_time).exists()


def _take_time(change: Change, report: ExecutionReport) -> None:
    order = change.order
    if order.transact_time is None or report.transact_time > order.transact_time:
        change.set(transact_time=report.transact_time)


def _take_of_twin(change: Change, report: ExecutionReport) -> None:
    """Tell of the other order; what becomes of it says nothing of ours, but its fills are the trader's all the same."""
    alarm_duplicates(change.order, [change.order.broker_order_id, report.broker_order_id])
    if report.exec_type in FILLS:
        change.apply(event_of(report), at=report.transact_time)


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
