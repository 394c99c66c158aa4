"""More than one order of the same client order id at a broker: never adopted silently."""

from collections.abc import Iterable

import structlog

from orders.models import AttentionItem, Order
from orders.services.attention import open_item

log = structlog.get_logger(__name__)


def alarm_duplicates(order: Order, broker_order_ids: Iterable[str]) -> bool:
    """Tell the operators where one client order id of this order stands for several of the broker's orders.

    Returns whether it does. An empty id says nothing. Each link of a chain of replaces has a client order id of its
    own, so such a chain is not meant.
    """
    ids = sorted(set(broker_order_ids) - {""})
    if len(ids) < 2:
        return False
    log.error("the broker has an order more than once", order=str(order.id), broker_order_ids=ids)
    detail = f"{len(ids)} orders of {order.cl_ord_id} at the broker: {', '.join(ids)}"
    open_item(AttentionItem.Kind.DUPLICATE_AT_BROKER, order=order, detail=detail)
    return True
