"""Look up an order whose outcome is unknown: adopt what the broker has, or decide what its absence means."""

import datetime as dt

import structlog
from django.conf import settings
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import NotSent, OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, OrdStatus, PositionEffect
from failpoints import failpoint
from orders.models import AttentionItem, Order
from orders.services.adoption import adopt_wished, wished_adoption
from orders.services.attempts import ALARMING_ATTEMPTS, backoff_seconds
from orders.services.attention import close_items, open_item
from orders.services.changes import Origin
from orders.services.duplicates import alarm_duplicates
from orders.services.executions import Applied, apply_execution_reports
from orders.services.leases import Fence
from orders.services.repeating import NOT_FOUND, takes_id_once
from orders.services.submission_answers import undo_submission
from orders.services.verification import SINCE_MARGIN, fetch_fills, note_check

log = structlog.get_logger(__name__)


def look_up_order(order: Order, *, adapter: BrokerAdapter, fence: Fence) -> Applied | None:
    """Ask for an order whose outcome is unknown, by its client order id; adopt what is found.

    1. Where an operator has named the broker's own order, that one is looked at instead.
    2. What is found is applied, unless there are several: then a person chooses.
    3. What is not found after all of ``LOOKUP_DELAYS_SECONDS`` is sent again with the same id where the broker
       takes an id only once. Elsewhere its absence proves nothing, and the order stays as it is.

    Returns what was applied, or None. Safe to call at any time.
    """
    if order.sent_with is not None:
        return _look_up_stop(order, order.sent_with, adapter=adapter, fence=fence)
    wish = wished_adoption(order)
    if wish is not None:
        return adopt_wished(order, wish, adapter=adapter, fence=fence)
    repeatable = takes_id_once(order, adapter.capabilities, timezone.now())
    try:
        reports = _ask(order, adapter) if repeatable else _ask_everywhere(order, adapter)
    except (OutcomeUnknown, NotSent) as error:
        _stay_unknown(order, f"look-up failed: {error}"[:200], alarming=not repeatable)
        return None
    if alarm_duplicates(order, [report.broker_order_id for report in reports]):
        _stay_unknown(order, "the broker has more than one order of this id", alarming=not repeatable)
    elif reports:
        return _adopt(order, reports, adapter, fence)
    elif not repeatable:
        _stay_unknown(order, "the broker does not list it, which proves nothing", alarming=True)
    elif order.checks < len(settings.LOOKUP_DELAYS_SECONDS) - 1:
        note_check(order.id, "the broker does not have it yet")  # what was sent last may still be on its way
    else:
        _send_again(order, fence)
    return None


def _look_up_stop(order: Order, main: Order, *, adapter: BrokerAdapter, fence: Fence) -> Applied | None:
    """Look for the stop of an OCO by way of the order that it was sent with: the broker has chosen its id."""
    if main.ord_status == OrdStatus.SUBMITTED:
        look_up_order(main, adapter=adapter, fence=fence)
    else:
        failpoint("lookup.stop.before")
        try:
            report = adapter.get_order_by_broker_id(main.broker_order_id) if main.broker_order_id else None
        except (OutcomeUnknown, NotSent) as error:
            note_check(order.id, f"look-up failed: {error}"[:200])
            return None
        if report is not None:
            apply_execution_reports([report], account_id=order.account_id, origin=Origin("lookup", fence))
        failpoint("lookup.stop.applied")
    note_check(order.id, "")
    return None


def _ask(order: Order, adapter: BrokerAdapter) -> list[ExecutionReport]:
    failpoint("lookup.before")
    report = adapter.get_order(order.cl_ord_id)
    failpoint("lookup.after")
    return [] if report is None else [report]


def _ask_everywhere(order: Order, adapter: BrokerAdapter) -> list[ExecutionReport]:
    """Ask in every way there is: a broker of class C may find by id only what is open, and only one of several.

    Returns the last report of each of the broker's orders; where it lists none, the fills that prove one.
    """
    since = (order.submitted_at or order.recorded_at) - SINCE_MARGIN
    found = _ask(order, adapter)
    found += adapter.list_orders(since=since, cl_ord_ids=[order.cl_ord_id])
    failpoint("lookup.listed")
    if found:
        return list({report.broker_order_id: report for report in found}.values())
    fills = adapter.list_executions(since=since)
    failpoint("lookup.fills")
    return [report for report in fills if report.cl_ord_id == order.cl_ord_id]


def _adopt(
    order: Order, reports: list[ExecutionReport], adapter: BrokerAdapter, fence: Fence
) -> Applied | None:
    applied = apply_execution_reports(reports, account_id=order.account_id, origin=Origin("lookup", fence))
    failpoint("lookup.applied")
    close_items(order, "the order was found at the broker", kind=AttentionItem.Kind.OUTCOME_UNKNOWN)
    # A fill that proved the order need not have been its first.
    if applied is not None and (applied.missing_fills or reports[0].exec_type is ExecType.TRADE):
        _fetch_missing(order, adapter, fence)
    return applied


def _fetch_missing(order: Order, adapter: BrokerAdapter, fence: Fence) -> None:
    since = order.submitted_at or order.recorded_at
    try:
        fetch_fills(order.account_id, since=since, adapter=adapter, fence=fence)
    except (OutcomeUnknown, NotSent) as error:
        note_check(order.id, f"fills not fetched: {error}"[:200])


def _stay_unknown(order: Order, why: str, *, alarming: bool) -> None:
    """Leave the order to the next look-up; an exit that nobody will send again is told of at once."""
    if alarming and order.position_effect == PositionEffect.CLOSE:
        if order.checks == 0:
            log.error("the outcome of an exit is unknown", order=str(order.id), why=why)
        open_item(AttentionItem.Kind.OUTCOME_UNKNOWN, order=order, detail=f"an exit: {why}")
    note_check(order.id, why)


def _send_again(order: Order, fence: Fence) -> None:
    """Have an order sent again that the broker has not got after all look-ups, ever more slowly."""
    wait = dt.timedelta(seconds=backoff_seconds(order.attempt)) if order.attempt > 1 else dt.timedelta()
    undo_submission(order.id, order.attempt, NOT_FOUND, eligible_at=timezone.now() + wait, fence=fence)
    if order.attempt >= ALARMING_ATTEMPTS:
        detail = f"sent {order.attempt} times, and the broker does not have it"
        open_item(AttentionItem.Kind.OUTCOME_UNKNOWN, order=order, detail=detail)
