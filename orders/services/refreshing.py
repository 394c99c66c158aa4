"""What a trader's worker does with the errand for quotes: fetch them, value what is held."""

from collections.abc import Sequence

from brokers.base import BrokerAdapter
from orders.models import Errand, Position
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.quotes import fetch_quotes
from orders.services.valuation import value_position


def refresh_positions(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Fetch the account's quotes and value its open positions. Raises what the broker's silence raises."""
    fetch_quotes(errand.account_id, adapter)
    for position in Position.objects.filter(account=errand.account_id).exclude(qty=0).order_by("pk"):
        value_position(position)
    return ()
