"""Ask the broker what has become of working orders, by account."""

import datetime as dt
import uuid
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import NotSent, OutcomeUnknown
from brokers.types import ExecutionReport, OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Order
from orders.services.attention import open_item
from orders.services.changes import Origin, lock_order, write_event
from orders.services.duplicates import alarm_duplicates
from orders.services.executions import Applied, apply_execution_report
from orders.services.following import needs_attention, next_check
from orders.services.leases import Fence
from orders.services.links import open_links
from orders.services.request_sending import settle_requests
from orders.services.retrying import retried

log = structlog.get_logger(__name__)

SINCE_MARGIN = dt.timedelta(minutes=1)  # the broker's clock is not ours


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
        for link in links[order.id]:
            alarm_duplicates(order, [one.broker_order_id for one in reports if one.cl_ord_id == link])
        reports_of_it = [found[link] for link in links[order.id] if link in found]
        for report in reports_of_it:
            result = apply_execution_report(report, account_id=account_id, origin=Origin("poll", fence))
            applied += [result] if result else []
        if counts:
            note_check(order.id, "" if reports_of_it else "the broker does not list it")
        if reports_of_it:
            applied += settle_requests(order.id, reports_of_it[-1], fence=fence)
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


@retried
def note_check(order_id: uuid.UUID, why: str) -> None:
    """Count one check of an order that has not ended, set the next, and tell the operators when it drags on."""
    with transaction.atomic():
        order = lock_order(order_id)
        if order.next_check_at is None or order.ord_status == OrdStatus.INITIALIZED:
            return
        now = timezone.now()
        order.checks += 1
        refused = order.ord_status in (OrdStatus.DENIED, OrdStatus.REJECTED)
        over = refused and order.checks >= settings.VERIFY_RETRIES
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
