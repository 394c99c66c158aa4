"""More than one order of the same client order id at a broker: never adopted silently."""

from collections.abc import Iterable

import structlog
from django.db.models import Q

from orders.models import AttentionItem, Order
from orders.services.attention import retell_item

log = structlog.get_logger(__name__)

KIND = AttentionItem.Kind.DUPLICATE_AT_BROKER


def alarm_duplicates(order: Order, broker_order_ids: Iterable[str]) -> bool:
    """Tell the operators where one client order id of this order stands for several of the broker's orders.

    Returns whether it does. Told once: what an item names that is open, or that a person has resolved, is known.
    An empty id says nothing. Each link of a chain of replaces has a client order id of its own, so such a chain is
    not meant.
    """
    ids = sorted(set(broker_order_ids) - {""})
    if len(ids) < 2:
        return False
    if not set(ids) <= _told(order):
        log.error("the broker has an order more than once", order=str(order.id), broker_order_ids=ids)
        detail = f"{len(ids)} orders of {order.cl_ord_id} at the broker: {', '.join(ids)}"
        retell_item(KIND, order=order, detail=detail)
    return True


def _told(order: Order) -> set[str]:
    """Return the broker's ids that the operators have been told of; the items' text lists them after a colon."""
    items = AttentionItem.objects.filter(kind=KIND, order=order)
    known = items.filter(Q(resolved_at__isnull=True) | Q(resolved_by__isnull=False))
    details = known.values_list("detail", flat=True)
    return {one for detail in details for one in detail.rpartition(": ")[2].split(", ")}
