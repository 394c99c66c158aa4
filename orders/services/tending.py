"""Tend a place where something has changed: who waited for it goes on, and its protective exits follow."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from failpoints import failpoint
from orders.models import Errand, Order
from orders.services.errands import defer_errand
from orders.services.executions import Applied
from orders.services.leases import Fence, hold_lease
from orders.services.protecting import protect_position
from orders.services.retrying import retried
from orders.services.turns import waiting_orders


def tend_position(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Do the errand of a place: wake the orders that wait there, then see to its protective exits.

    Whether the way is clear they find out by themselves, in their transaction 1. Raises ``LeaseLost``.
    """
    _wake_waiting(errand, fence)
    protected = protect_position(
        account_id=errand.account_id, symbol=errand.symbol, capabilities=adapter.capabilities, fence=fence
    )
    if protected.again_in_seconds is not None:
        defer_errand(errand, protected.again_in_seconds)
        failpoint("protect.deferred")
    return protected.applied


@retried
def _wake_waiting(errand: Errand, fence: Fence) -> None:
    now = timezone.now()
    with transaction.atomic():
        waiting = Order.objects.filter(
            waiting_orders(errand.account_id, errand.symbol), user=errand.user_id, eligible_at__gt=now
        )
        ids = list(waiting.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
        hold_lease(fence)
        Order.objects.filter(pk__in=ids).update(eligible_at=now)
        failpoint("tend.before_commit")
    failpoint("tend.after_commit")
