"""Record an exit that the desk decides on."""  # from slice exits

from decimal import Decimal

from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import PositionEffect, Side
from orders.models import ExitReason, Leg, Order, Source, Strategy
from orders.selectors import net_position
from orders.services.new_orders import ExitTerms, Provenance, write_order


def record_exit(
    account: BrokerAccount,
    symbol: str,
    *,
    side: Side,
    qty: Decimal | None,
    exit_reason: ExitReason,
    source: Source,
    strategy: Strategy | None = None,
    parent: Order | None = None,
    writer: str = "worker",
) -> Order | None:
    """Record a market exit of ``qty``, or of the whole position, unless one is under way; None: nothing to close."""
    rows = Order.objects.filter(account=account, symbol=symbol, side=side, ended=False)
    standing = rows.filter(position_effect=PositionEffect.CLOSE).exclude(leg__in=list(Leg)).first()
    if standing is not None:
        return standing
    position = net_position(account, symbol)
    held = position if side is Side.SELL else -position
    wanted = held if qty is None else min(qty, held)
    if wanted <= 0:
        return None
    provenance = Provenance(
        source=source,
        received_at=timezone.now(),
        strategy=strategy,
        exit_reason=exit_reason,
        parent=parent,
        writer=writer,
    )
    return write_order(ExitTerms(symbol=symbol, side=side), account, wanted, provenance)
