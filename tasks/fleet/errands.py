"""Who does which errand: one function for each kind.

Each takes the errand, the account's adapter and the worker's fence, may be called again at any time, and returns what
it has applied, so that whoever waits for one of these orders is answered.
"""

from collections.abc import Callable, Mapping, Sequence

from brokers.base import BrokerAdapter
from orders.models import Errand
from orders.services.catalogue import read_instruments
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.reconciliation.account import reconcile_account
from orders.services.refreshing import refresh_positions
from orders.services.tending import tend_position

Run = Callable[[Errand, BrokerAdapter, Fence], Sequence[Applied]]

RUNS: Mapping[Errand.Kind, Run] = {
    Errand.Kind.TEND_POSITION: tend_position,
    Errand.Kind.RECONCILE: reconcile_account,
    Errand.Kind.QUOTES: refresh_positions,
    Errand.Kind.INSTRUMENTS: read_instruments,
}


def run_errand(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Do one errand. Raises ``NotSent`` or ``OutcomeUnknown`` where the broker gives no answer."""
    return RUNS[Errand.Kind(errand.kind)](errand, adapter, fence)
