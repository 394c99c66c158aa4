"""Tend a position: what its trader's worker has to do about it besides sending. The one entry of that errand."""

# Slice exits owns this file; the lead merges: ``protect_position`` is called last.

from collections.abc import Sequence

from brokers.base import BrokerAdapter
from failpoints import failpoint
from orders.models import Errand
from orders.services.errands import defer_errand
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.protecting import protect_position


def tend_position(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Bring the exits of a position in line with it; may be called again at any time."""
    protected = protect_position(
        account_id=errand.account_id, symbol=errand.symbol, capabilities=adapter.capabilities, fence=fence
    )
    if protected.again_in_seconds is not None:
        defer_errand(errand, protected.again_in_seconds)
        failpoint("protect.deferred")
    return protected.applied
