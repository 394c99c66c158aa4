"""Clear the way of an order that waits: have what is before it canceled, and ask the broker what has become of it.

Called by the trader's worker after transaction 1 has put the order off, at every look. Each step is a transaction of
its own and is found again from the database, so that the next worker goes on wherever this one dies.
"""

import uuid

from brokers.base import BrokerAdapter
from brokers.types import OrdStatus, PositionEffect
from orders.models import Order
from orders.services.desk_cancels import ask_after, cancel_orders
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.reversal import advance_reversal
from orders.services.turns import WAITS, turn_of
from orders.turns import Blocked


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
    if turn.cancel:
        return cancel_orders(turn.cancel, fence=fence)
    return ask_after(order.account_id, turn.awaits, adapter=adapter, fence=fence)
