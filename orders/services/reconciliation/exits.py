"""Cancel what would close a position that is closed already: nobody wants to sell what is not there."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect
from failpoints import failpoint
from orders.models import Order, OrderRequest, Position, ReconciliationRun, Source
from orders.reconciliation import TheirBooks
from orders.services.leases import Fence, hold_lease
from orders.services.reconciliation.findings import Kind, note_done
from orders.services.requests import Asked, RequestRefused, record_cancel
from orders.services.retrying import retried

STATEMENT_MS = 10_000


def cancel_left_exits(
    run: ReconciliationRun, books: TheirBooks, *, moving: frozenset[str], fence: Fence
) -> int:
    """Record a cancel for each exit at the broker whose position is flat there and here; return how many.

    Never for an order that somebody else has placed, nor for one that has a cancel already.
    """
    held = {one.symbol for one in books.positions if one.qty}
    held |= set(
        Position.objects.filter(account=run.account_id).exclude(qty=0).values_list("symbol", flat=True)
    )
    open_cancels = OrderRequest.objects.filter(
        kind=OrderRequest.Kind.CANCEL, status__in=OrderRequest.OPEN, answered_at__isnull=True
    )
    left = (
        Order.objects.filter(
            account=run.account_id,
            position_effect=PositionEffect.CLOSE,
            ended=False,
            next_check_at__isnull=False,
        )
        .exclude(source=Source.EXTERNAL)
        .exclude(ord_status__in=[OrdStatus.INITIALIZED, OrdStatus.SUBMITTED, OrdStatus.PENDING_CANCEL])
        .exclude(symbol__in=held | moving)
        .exclude(pk__in=open_cancels.values("order"))
    )
    return sum(_cancel(run, order_id, fence) for order_id in left.order_by("id").values_list("pk", flat=True))


@retried
def _cancel(run: ReconciliationRun, order_id: uuid.UUID, fence: Fence) -> bool:
    asked = Asked(user_id=run.user_id, order_id=order_id, source=Source.DESK, received_at=timezone.now())
    try:
        with transaction.atomic():
            recorded = record_cancel(asked, statement_timeout_ms=STATEMENT_MS)
            hold_lease(fence)
            order = recorded.request.order
            note_done(
                run,
                Kind.EXIT_CANCELED,
                order=order,
                ours=f"{order.ord_status}, its position is closed",
                done="a cancel was recorded",
            )
            failpoint("reconcile.exit.before_commit")
    except RequestRefused:
        return False  # it has ended meanwhile
    failpoint("reconcile.exit.after_commit")
    return True
