"""Ask the broker what has become of orders: the unknown ones by their ids, the working ones by account."""

import datetime as dt
import uuid
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import NotSent, OutcomeUnknown
from brokers.types import ExecutionReport, IdempotencyClass, OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Order
from orders.services.attention import open_item
from orders.services.changes import Origin, lock_order, write_event
from orders.services.executions import Applied, apply_execution_report
from orders.services.following import needs_attention, next_check
from orders.services.leases import Fence
from orders.services.links import open_links
from orders.services.request_sending import settle_requests
from orders.services.submission import backoff_seconds, undo_submission

log = structlog.get_logger(__name__)

ALARMING_ATTEMPTS = 4
SINCE_MARGIN = dt.timedelta(minutes=1)  # the broker's clock is not ours


def look_up_order(order: Order, *, adapter: BrokerAdapter, fence: Fence) -> Applied | None:
    """Ask for an order whose outcome is unknown, by its client order id; adopt what is found.

    Where the broker proves that it has no such order and takes an id only once (class A), the order goes back to
    ``INITIALIZED`` and is sent again with the same id. Elsewhere it stays as it is, for a person to settle.
    Returns what was applied, or None. Safe to call at any time.
    """
    failpoint("lookup.before")
    try:
        report = adapter.get_order(order.cl_ord_id)
        failpoint("lookup.after")
    except (OutcomeUnknown, NotSent) as error:
        note_check(order.id, f"look-up failed: {error}"[:200])
        return None
    if report is not None:
        applied = apply_execution_report(report, account_id=order.account_id, origin=Origin("lookup", fence))
        if applied is not None and applied.missing_fills:
            _fetch_missing(order, report.transact_time, adapter, fence)
        return applied
    if adapter.capabilities.idempotency_class is not IdempotencyClass.A:
        note_check(order.id, "the broker does not list it, which proves nothing")
    elif order.checks < len(settings.LOOKUP_DELAYS_SECONDS) - 1:
        note_check(order.id, "the broker does not have it yet")  # what was sent last may still be on its way
    else:
        _send_again(order, fence)
    return None


def _send_again(order: Order, fence: Fence) -> None:
    """Have an order sent again that a class A broker has not got after all look-ups, ever more slowly."""
    wait = dt.timedelta(seconds=backoff_seconds(order.attempt)) if order.attempt > 1 else dt.timedelta()
    undo_submission(
        order.id,
        order.attempt,
        "the broker has no such order",
        eligible_at=timezone.now() + wait,
        fence=fence,
    )
    if order.attempt >= ALARMING_ATTEMPTS:
        detail = f"sent {order.attempt} times, and the broker does not have it"
        open_item(AttentionItem.Kind.OUTCOME_UNKNOWN, order=order, detail=detail)


def _fetch_missing(order: Order, since: dt.datetime, adapter: BrokerAdapter, fence: Fence) -> None:
    try:
        fetch_fills(order.account_id, since=since, adapter=adapter, fence=fence)
    except (OutcomeUnknown, NotSent) as error:
        note_check(order.id, f"fills not fetched: {error}"[:200])


def verify_account(
    account_id: uuid.UUID,
    orders: Sequence[Order],
    *,
    adapter: BrokerAdapter,
    fence: Fence,
    counts: bool = True,
) -> list[Applied]:
    """Check working orders of one account: one call for all, one more where fills are missing.

    ``counts`` off leaves the orders' schedule alone: a quick look besides the regular checks.

    Raises ``NotSent`` and ``OutcomeUnknown`` as the adapter does; nothing is noted then but the check.
    """
    since = min(order.submitted_at or order.recorded_at for order in orders) - SINCE_MARGIN
    failpoint("check.before")
    try:
        links = {order.id: open_links(order) for order in orders}
        reports = adapter.list_orders(
            since=since, cl_ord_ids=[link for all_ in links.values() for link in all_]
        )
        failpoint("check.after")
        found = {report.cl_ord_id: report for report in reports}
        applied = []
        if any(_misses_fills(order, found.get(link)) for order in orders for link in links[order.id]):
            applied += fetch_fills(account_id, since=since, adapter=adapter, fence=fence)
    except (OutcomeUnknown, NotSent) as error:
        for order in orders if counts else ():
            note_check(order.id, f"check failed: {error}"[:200])
        return []
    for order in orders:
        reports = [found[link] for link in links[order.id] if link in found]
        for report in reports:
            result = apply_execution_report(report, account_id=account_id, origin=Origin("poll", fence))
            applied += [result] if result else []
        if counts:
            note_check(order.id, "" if reports else "the broker does not list it")
        if reports:
            applied += settle_requests(order.id, reports[-1], fence=fence)
    return applied


def fetch_fills(
    account_id: uuid.UUID, *, since: dt.datetime, adapter: BrokerAdapter, fence: Fence | None
) -> list[Applied]:
    """Fetch and apply every execution of the account since then; those that count already change nothing."""
    applied = []
    reports = adapter.list_executions(since=since - SINCE_MARGIN)
    failpoint("fills.after")
    for report in reports:
        result = apply_execution_report(report, account_id=account_id, origin=Origin("poll", fence))
        applied += [result] if result else []
    return applied


def note_check(order_id: uuid.UUID, why: str) -> None:
    """Count one check of an order that has not ended, set the next, and tell the operators when it drags on."""
    with transaction.atomic():
        order = lock_order(order_id)
        if order.next_check_at is None or order.ord_status == OrdStatus.INITIALIZED:
            return
        now = timezone.now()
        order.checks += 1
        over = order.ord_status == OrdStatus.DENIED and order.checks >= settings.VERIFY_RETRIES
        order.next_check_at = None if over else next_check(order, now)
        order.save(update_fields=["checks", "next_check_at"])
        if why:
            write_event(order, kind="Checked", at=now, origin=Origin("worker"), data={"why": why})
        if needs_attention(order):
            open_item(_attention_kind(order), order=order, detail=why)
    failpoint("check.noted")


def check_all_now(account_id: uuid.UUID) -> None:
    """Have every order at this account checked at once, because reports may have been missed."""
    orders = Order.objects.filter(account=account_id, next_check_at__isnull=False)
    orders.exclude(ord_status=OrdStatus.INITIALIZED).update(next_check_at=timezone.now())
    failpoint("gap.marked")


def _misses_fills(order: Order, report: ExecutionReport | None) -> bool:
    return report is not None and report.cum_qty is not None and report.cum_qty > order.cum_qty


def _attention_kind(order: Order) -> AttentionItem.Kind:
    if order.ord_status == OrdStatus.SUBMITTED:
        return AttentionItem.Kind.OUTCOME_UNKNOWN
    return AttentionItem.Kind.MARKET_ORDER_UNFILLED
