"""What a trader's worker does with the errand for quotes: fetch them, value what is held, close it by its rules."""

from collections.abc import Sequence

import structlog

from brokers.base import BrokerAdapter
from orders.models import Errand, Position
from orders.services.executions import Applied
from orders.services.exit_alarms import tell_stale_quotes
from orders.services.exit_monitor import watch_position
from orders.services.leases import Fence
from orders.services.quotes import fetch_quotes
from orders.services.trouble import TROUBLE
from orders.services.valuation import value_position

log = structlog.get_logger(__name__)


def refresh_positions(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Fetch the account's quotes, value its open positions, and place the exits that their rules ask for.

    Rules that need no quote are heeded where the broker is silent, too; what its silence raises is raised after that.
    """
    try:
        fetch_quotes(errand.account_id, adapter)
    finally:
        _look_at_positions(errand, fence)
    return ()


def _look_at_positions(errand: Errand, fence: Fence) -> None:
    held = Position.objects.filter(account=errand.account_id).exclude(qty=0).order_by("pk")
    for position in held:
        try:
            watch_position(value_position(position), fence)
        except TROUBLE:
            log.exception("a position is in trouble, the others go on", symbol=position.symbol)
    tell_stale_quotes(errand.user_id)
