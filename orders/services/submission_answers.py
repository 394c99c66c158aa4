"""Transaction 2 where the broker's answer is no report: refused, not sent, market closed, or nobody knows."""

import datetime as dt
import uuid
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from brokers.errors import CredentialsRefused, MarketClosed, NotSent, OrderRejected
from brokers.types import OrdStatus
from failpoints import failpoint
from orders.models import AttentionItem, Order
from orders.services.attempts import backoff_seconds
from orders.services.attention import open_item
from orders.services.changes import Change, Origin, change_order, lock_order, write_event
from orders.services.closed_markets import closed_at_broker
from orders.services.commands import Sending
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.refusals import refusal_columns
from orders.services.retrying import retried
from orders.services.unsent import hold_back_order
from orders.state import NotSent as NotSentEvent
from orders.state import Rejected


@retried
def refuse_submission(sending: Sending, error: OrderRejected, *, fence: Fence, sent_at: dt.datetime) -> Order:
    """Record the broker's proven refusal of this attempt; nothing where another attempt has begun since."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        if order.ord_status != OrdStatus.SUBMITTED or order.attempt != sending.attempt:
            return order  # whoever is at it now knows more
        change = Change(order, Origin("response", fence, {"sent": sent_at, "acknowledged": now}))
        change.apply(Rejected(error.reason[:200]), at=now)
        change.set(
            **refusal_columns(order, error.code, error.reason), transact_time=order.transact_time or now
        )
        # An earlier attempt may still be on its way, so the broker is asked a few times more.
        change.save(keep_following=sending.attempt > 1)
        failpoint("report.before_commit")
    failpoint("report.after_commit")
    return order


@retried
def undo_submission(
    order_id: uuid.UUID,
    attempt: int,
    why: str,
    *,
    eligible_at: dt.datetime | None,
    fence: Fence,
    told: Mapping[str, str] | None = None,
) -> bool:
    """Take back a sending that provably did not happen; return False where another attempt has begun since.

    ``told`` are the columns that say to the trader what it waits for.
    It needs no lease: it only states a fact, and whoever sends again proves a lease of its own.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.SUBMITTED or order.attempt != attempt:
            return False
        change_order(
            order,
            NotSentEvent(why[:200]),
            at=timezone.now(),
            origin=Origin("worker", fence),
            columns={"eligible_at": eligible_at, **(told or {})},
        )
        failpoint("undo.before_commit")
    failpoint("undo.after_commit")
    return True


@retried
def meet_closed_market(sending: Sending, error: MarketClosed, *, fence: Fence) -> Applied | None:
    """Take back a sending that the broker has not taken because its market is closed, and say when that opens.

    An entry that does not wait for the opening is denied and returned. Nothing where another attempt has begun since.
    """
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        if order.ord_status != OrdStatus.SUBMITTED or order.attempt != sending.attempt:
            return None
        origin = Origin("worker", fence)
        change_order(order, NotSentEvent(str(error)[:200]), at=now, origin=origin)
        closed = closed_at_broker(order, error, now)
        applied = hold_back_order(order, closed, until=eligible_after(sending, error), origin=origin)
        failpoint("undo.before_commit")
    failpoint("undo.after_commit")
    return applied


@retried
def leave_unknown(sending: Sending, why: str, *, fence: Fence, sent_at: dt.datetime) -> None:
    """Record that nobody knows what became of the sending; the look-up is due at once."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        if order.ord_status != OrdStatus.SUBMITTED:
            return  # the stream has settled it meanwhile
        order.next_check_at = now
        order.save(update_fields=["next_check_at"])
        write_event(
            order,
            kind="OutcomeUnknown",
            at=now,
            origin=Origin("response", fence, {"sent": sent_at}),
            data={"why": why[:200]},
        )
    failpoint("unknown.after_commit")


def eligible_after(sending: Sending, error: NotSent) -> dt.datetime:
    """Return when what was provably not sent may be sent again."""
    wait = max(error.retry_after_seconds, backoff_seconds(sending.attempt))
    soonest = timezone.now() + dt.timedelta(seconds=wait)
    if isinstance(error, MarketClosed) and error.next_open is not None:
        return max(error.next_open, soonest)  # by the broker's clock, and by ours it may have passed
    return soonest


def report_credentials(sending: Sending, error: CredentialsRefused) -> None:
    """Tell the operators that the broker does not let this account in."""
    open_item(
        AttentionItem.Kind.CREDENTIALS_REFUSED,
        order=Order.objects.get(pk=sending.order_id),
        detail=str(error),
    )
