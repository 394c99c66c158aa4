"""Cancels that the desk itself asks for, and its questions after orders that it waits for."""

import uuid
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.types import OrdStatus
from failpoints import failpoint
from orders.models import Order, Source
from orders.services.asking import Asked
from orders.services.executions import Applied
from orders.services.leases import Fence, hold_lease
from orders.services.requests import RequestRefused, record_cancel
from orders.services.verification import verify_account

STATEMENT_TIMEOUT_MS = 5000


def cancel_orders(order_ids: Iterable[uuid.UUID], *, fence: Fence) -> list[Applied]:
    """Record a cancel for each of these orders; what was not sent is denied at once. One that has ended is left alone.

    The worker sends them before anything else. Raises ``LeaseLost``.
    """
    applied = []
    for order_id in sorted(order_ids):
        recorded = _cancel(order_id, fence)
        applied += [recorded] if recorded is not None else []
    return applied


def _cancel(order_id: uuid.UUID, fence: Fence) -> Applied | None:
    asked = Asked(user_id=fence.user_id, order_id=order_id, source=Source.DESK, received_at=timezone.now())
    try:
        with transaction.atomic():
            hold_lease(fence)
            recorded = record_cancel(asked, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
            failpoint("desk_cancel.before_commit")
    except RequestRefused:
        return None
    failpoint("desk_cancel.after_commit")
    return Applied(recorded.request.order, changed=True, missing_fills=False, answered=recorded.settled)


def ask_after(
    account_id: uuid.UUID, order_ids: Iterable[uuid.UUID], *, adapter: BrokerAdapter, fence: Fence
) -> list[Applied]:
    """Ask the broker what has become of these orders, besides what its stream tells.

    Their own schedule of checks goes on. One whose outcome is unknown is left to its look-ups.
    """
    at_broker = Order.objects.filter(pk__in=list(order_ids), next_check_at__isnull=False).exclude(
        ord_status__in=[OrdStatus.INITIALIZED, OrdStatus.SUBMITTED]
    )
    orders = list(at_broker.order_by("recorded_at", "id"))
    if not orders:
        return []
    return verify_account(account_id, orders, adapter=adapter, fence=fence, counts=False)
