"""Ask the broker what has become of working orders, by account."""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
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
from orders.services.replacing import follow_replaced
from orders.services.request_answers import settle_requests
from orders.services.retrying import retried
from orders.services.trouble import TROUBLE

log = structlog.get_logger(__name__)

SINCE_MARGIN = dt.timedelta(minutes=10)
"""The broker's clock is not ours: what was sent while ours was so far ahead is still listed."""


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

    What goes wrong with one order is logged and counts as its check, and the others go on; where the broker gives
    no answer, that is so for all of them.
    """
    check = _Check(account_id, adapter, Origin("poll", fence), fence, counts)
    links: dict[uuid.UUID, list[str]] = {}
    for order in orders:
        with check.guarding([order]):
            links[order.id] = open_links(order)
    readable = [order for order in orders if order.id in links]
    applied: list[Applied] = []
    if not readable:
        return applied
    with check.guarding(readable):
        failpoint("check.before")
        reports = adapter.list_orders(
            since=_since(readable) - SINCE_MARGIN,
            cl_ord_ids=[link for order in readable for link in links[order.id]],
        )
        failpoint("check.after")
        found = {order.id: _reports_of(order, links[order.id], reports) for order in readable}
        if any(_misses_fills(order, report) for order in readable for report in found[order.id]):
            applied += fetch_fills(account_id, since=_since(readable), adapter=adapter, fence=fence)
        check.answered = True
    for order in readable if check.answered else ():
        with check.guarding([order]):
            for link in links[order.id]:
                alarm_duplicates(order, [one.broker_order_id for one in reports if one.cl_ord_id == link])
            applied += _take(check, order, found[order.id], waits=len(links[order.id]) > 1)
    return applied


@dataclass
class _Check:
    """One check of an account."""

    account_id: uuid.UUID
    adapter: BrokerAdapter
    origin: Origin
    fence: Fence
    counts: bool
    answered: bool = False  # by the broker

    @contextmanager
    def guarding(self, orders: Sequence[Order]) -> Iterator[None]:
        """Take what goes wrong in the block for the check of these orders, so that they wait for their next."""
        try:
            yield
        except (OutcomeUnknown, NotSent) as error:
            self.note(orders, f"check failed: {error}"[:200])
        except TROUBLE as error:
            log.exception("a check is in trouble", orders=[str(order.id) for order in orders])
            self.note(orders, f"check failed: {type(error).__name__}")

    def note(self, orders: Sequence[Order], why: str) -> None:
        for order in orders if self.counts else ():
            note_check(order.id, why)


def _take(check: _Check, order: Order, reports: Sequence[ExecutionReport], *, waits: bool) -> list[Applied]:
    """Apply what the broker says of one order; ``waits``: for the answer to a replace of ours."""
    applied: list[Applied] = []
    for report in reports:
        result = apply_execution_report(report, account_id=check.account_id, origin=check.origin)
        applied += [result] if result else []
        if not waits:
            applied += _follow(check, order, report)
    check.note([order], "" if reports else "the broker does not list it")
    if reports:
        applied += settle_requests(order.id, reports[-1], fence=check.fence)
    return applied


def _follow(check: _Check, order: Order, report: ExecutionReport) -> list[Applied]:
    """Go after the order that has taken this one's place, with its fills."""
    applied = follow_replaced(order, report, adapter=check.adapter, origin=check.origin)
    if any(one.missing_fills for one in applied):
        since = _since([order])
        applied += fetch_fills(check.account_id, since=since, adapter=check.adapter, fence=check.fence)
    return applied


def _reports_of(
    order: Order, links: Sequence[str], reports: Sequence[ExecutionReport]
) -> list[ExecutionReport]:
    """Return the report of each link that is listed; of several of one id the one that is ours, else the last."""
    found = []
    for link in links:
        listed = [report for report in reports if report.cl_ord_id == link]
        ours = [report for report in listed if report.broker_order_id == order.broker_order_id]
        found += (ours or listed)[-1:]
    return found


def fetch_fills(
    account_id: uuid.UUID, *, since: dt.datetime, adapter: BrokerAdapter, fence: Fence | None
) -> list[Applied]:
    """Fetch and apply every execution of the account since then; those that count already change nothing.

    One that cannot be applied is logged, and the others go on.
    """
    applied = []
    reports = adapter.list_executions(since=since - SINCE_MARGIN)
    failpoint("fills.after")
    for report in reports:
        try:
            result = apply_execution_report(report, account_id=account_id, origin=Origin("poll", fence))
        except TROUBLE:
            log.exception("a fill is in trouble", cl_ord_id=report.cl_ord_id, exec_id=report.exec_id)
            continue
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
    _check_at_once(Order.objects.filter(account=account_id, next_check_at__isnull=False))
    failpoint("gap.marked")


def check_all_of(user_id: int) -> None:
    """Have every order of this trader's at a broker checked at once: nobody has listened for a while."""
    _check_at_once(Order.objects.filter(user=user_id, next_check_at__isnull=False))
    failpoint("claim.marked")


def _check_at_once(orders: QuerySet[Order]) -> None:
    """Have those of the orders checked at once that are at a broker.

    Each in a transaction of its own: whoever locks two orders of an OCO is never waited for with one of them in hand.
    """
    sent = orders.exclude(ord_status=OrdStatus.INITIALIZED).order_by("id")
    for order_id in list(sent.values_list("pk", flat=True)):
        sent.filter(pk=order_id).update(next_check_at=timezone.now())


def _since(orders: Sequence[Order]) -> dt.datetime:
    """Return when the first of them was sent."""
    return min(order.submitted_at or order.recorded_at for order in orders)


def _misses_fills(order: Order, report: ExecutionReport) -> bool:
    return report.cum_qty is not None and report.cum_qty > order.cum_qty


def _attention_kind(order: Order) -> AttentionItem.Kind:
    if order.ord_status == OrdStatus.SUBMITTED:
        return AttentionItem.Kind.OUTCOME_UNKNOWN
    return AttentionItem.Kind.MARKET_ORDER_UNFILLED
