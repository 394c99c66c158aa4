"""Clear the way of an order that waits: have what is before it canceled, and ask the broker what has become of it.

Called by the trader's worker after transaction 1 has put the order off, at every look. Each step is a transaction of
its own and is found again from the database, so that the next worker goes on wherever this one dies.
"""

import datetime as dt
import uuid
from collections.abc import Collection

from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.types import OrdStatus, PositionEffect
from orders.models import Order, OrderRequest
from orders.services.desk_cancels import ask_after, cancel_orders
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.reversal import advance_reversal
from orders.services.turns import WAITS, turn_of
from orders.turns import Blocked

REFUSED_FOR = dt.timedelta(seconds=1)
"""So long an order whose cancel was refused is not canceled again."""


def clear_way(order_id: uuid.UUID, *, adapter: BrokerAdapter, fence: Fence) -> list[Applied]:
    """Do what the order waits for; nothing where it does not wait. May be called at any time, any number of times.

    Raises ``LeaseLost``.
    """
    order = Order.objects.get(pk=order_id)
    if order.ord_status != OrdStatus.INITIALIZED or order.reason not in WAITS:
        return []
    if order.position_effect == PositionEffect.OPEN:
        return advance_reversal(order, adapter=adapter, fence=fence)
    turn = turn_of(order)
    if not isinstance(turn, Blocked):
        return []
    cancel = set(turn.cancel) - _refused_lately(turn.cancel)
    if cancel:
        return cancel_orders(cancel, fence=fence)
    return ask_after(order.account_id, turn.awaits, adapter=adapter, fence=fence)


def _refused_lately(order_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of which the broker has just refused a cancel: most likely they have ended, which is asked first."""
    refused = OrderRequest.objects.filter(
        order__in=order_ids,
        kind=OrderRequest.Kind.CANCEL,
        status=OrderRequest.Status.REFUSED,
        recorded_at__gt=timezone.now() - REFUSED_FOR,
    )
    return set(refused.values_list("order", flat=True))
