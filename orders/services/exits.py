"""Record exits: of alerts, of a hand, of the desk's own rules. How much is sent is decided at the exit's turn."""

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import OrdType, PositionEffect, Side
from failpoints import failpoint
from orders.intake.sizing import SizingError
from orders.models import ExitReason, Order, OrderRequest, Source, Strategy
from orders.services.new_orders import ExitTerms, Provenance, write_order
from orders.services.quantities import exit_quantity, lock_account, supersedes
from orders.services.retrying import retried


@retried
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
    """Record a market order that closes ``qty`` of a position, or all of it (None); ``side`` is the order's.

    Returns None where there is nothing to close, and none comes: no entry of that side is unfinished. A market exit
    of the whole that is open already is returned instead of a second one, however often this is called. What the
    trader's worker decides it records under its lease, held by the caller's transaction.
    """
    with transaction.atomic():
        lock_account(account)
        standing = standing_exit(account, symbol, side)
        if standing is not None:
            return standing
        try:
            at_market = qty is None and supersedes(source, exit_reason)
            quantity = exit_quantity(account, symbol, side, qty, at_market=at_market)
        except SizingError:
            return None
        provenance = Provenance(
            source=source,
            received_at=timezone.now(),
            strategy=strategy,
            exit_reason=exit_reason,
            parent=parent,
            writer=writer,
        )
        terms = ExitTerms(symbol=symbol, side=side)
        order = write_order(terms, account, quantity, provenance, closes_whole=qty is None)
        failpoint("exit.record.before_commit")
    failpoint("exit.record.after_commit")
    return order


def standing_exit(account: BrokerAccount, symbol: str, side: Side) -> Order | None:
    """Return the market exit of the whole position that is open, and not being canceled."""
    exits = Order.objects.filter(
        user=account.user_id,
        next_check_at__isnull=False,
        account=account,
        symbol=symbol,
        side=side,
        position_effect=PositionEffect.CLOSE,
        ord_type=OrdType.MARKET,
        closes_whole=True,
        leg="",
        ended=False,
    )
    canceled = OrderRequest.objects.filter(
        user=account.user_id, kind=OrderRequest.Kind.CANCEL, answered_at__isnull=True
    )
    return exits.exclude(pk__in=canceled.values("order")).order_by("id").first()
