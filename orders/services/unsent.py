"""Orders that are recorded and not sent: they are put off for a while, held back for the opening, or denied."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect
from failpoints import failpoint
from orders.models import AttentionItem, Order, OrderRequest
from orders.services.attention import open_item
from orders.services.changes import Change, Origin, lock_order, write_event
from orders.services.closed_markets import Closed, hold_back, queues_for_open
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.retrying import retried
from orders.services.turns import is_reversing
from orders.state import Denied


@retried
def postpone_order(order_id: uuid.UUID, why: str, *, seconds: float, fence: Fence) -> None:
    """Put off an order that cannot be sent because its account cannot be opened, and tell the operators."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.INITIALIZED:
            return
        if is_too_old(order, now):
            deny(order, "TOO_OLD", why[:500], Origin("worker", fence))
            return
        order.eligible_at = now + dt.timedelta(seconds=seconds)
        order.save(update_fields=["eligible_at"])
        write_event(order, kind="Postponed", at=now, origin=Origin("worker", fence), data={"why": why[:200]})
        open_item(AttentionItem.Kind.CREDENTIALS_REFUSED, order=order, detail=why)
    failpoint("postpone.after_commit")


@retried
def put_off_sizing(order_id: uuid.UUID, why: str, *, seconds: float, fence: Fence) -> None:
    """Put off an order that cannot be sized for now; an entry that waits for too long is denied as any other."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.INITIALIZED:
            return
        change = Change(order, Origin("worker", fence))
        change.set(eligible_at=now + dt.timedelta(seconds=seconds), text=f"Not sized yet: {why}"[:500])
        change.note("NotSizedYet", at=now, data={"why": why[:200]})
        change.save()
    failpoint("unsized.after_commit")


@retried
def deny_order(order_id: uuid.UUID, *, reason: str, text: str, source: str) -> bool:
    """Refuse an order that is recorded and not sent; return False where it is past that."""
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.INITIALIZED:
            return False
        deny(order, reason, text, Origin(source))
        failpoint("deny.before_commit")
    failpoint("deny.after_commit")
    return True


def deny(order: Order, reason: str, text: str, origin: Origin) -> None:
    """Refuse a locked order, by code and in words."""
    change = Change(order, origin)
    change.apply(Denied(reason), at=timezone.now())
    change.set(reason=reason, text=text)
    # After an attempt the broker is asked a few times more, in case the proof that nothing was sent was none.
    change.save(keep_following=order.attempt > 0)


def cancel_unsent(order: Order, cancel: OrderRequest, origin: Origin) -> Applied:
    """Carry out a cancel by never sending the order; both rows are locked."""
    deny(order, "CANCELED_BEFORE_SENDING", "Canceled before it was sent.", origin)
    cancel.status, cancel.answered_at = OrderRequest.Status.ACCEPTED, timezone.now()
    cancel.save(update_fields=["status", "answered_at"])
    return Applied(order, changed=True, missing_fills=False, answered=(cancel.id,))


def hold_back_order(
    order: Order, closed: Closed, *, until: dt.datetime | None, origin: Origin
) -> Applied | None:
    """Have a locked order wait for its market to open, or deny it; return it where it was denied."""
    change = Change(order, origin)
    hold_back(change, closed, until=until, at=timezone.now())
    change.save(keep_following=order.attempt > 0)
    return Applied(order, changed=True, missing_fills=False) if order.ended else None


def is_too_old(order: Order, now: dt.datetime) -> bool:
    """Say whether an entry waited so long that it is not what the trader wants any more; an exit always is."""
    return not is_reversing(order) and has_aged(order, now)


def has_aged(order: Order, now: dt.datetime) -> bool:
    """Say the same of any entry, also of one whose reversal is under way."""
    young = now - order.received_at <= dt.timedelta(seconds=settings.ENTRY_MAX_AGE_SECONDS)
    if young or order.position_effect == PositionEffect.CLOSE:
        return False
    return not queues_for_open(order)
