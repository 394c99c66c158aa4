"""Close what cannot stay as it is, by a market exit of the desk's own: a stop that came too late, too much closed.

In the caller's transaction, under the position's lock. One that the broker refuses is tried again, ever later.
"""

import datetime as dt
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import OrdStatus, PositionEffect, Side
from orders.models import ExitReason, Order, Position, Source
from orders.services.exits import record_exit
from orders.services.quotes import fresh_quote, want_quotes
from orders.services.refused_exits import REFUSALS_COUNT_FOR, pause_seconds

CAME_TO_NOTHING = (OrdStatus.DENIED, OrdStatus.REJECTED, OrdStatus.CANCELED, OrdStatus.EXPIRED)


def close_out(
    account: BrokerAccount, position: Position, *, exit_reason: ExitReason, parent: Order
) -> float | None:
    """Record the exit of a whole position unless it is open; return in how many seconds to try again what failed."""
    wait = pause_seconds(_failed(position, exit_reason, parent))
    if wait:
        return wait
    record_exit(
        account,
        position.symbol,
        side=Side.SELL if position.qty > 0 else Side.BUY,
        qty=None,
        exit_reason=exit_reason,
        source=Source.DESK,
        strategy=parent.strategy,
        parent=parent,
    )
    return None


def is_beyond(account: BrokerAccount, position: Position, refused: Order) -> bool:
    """Say whether the price has passed a stop that the broker would not have: there is nothing to wait for then.

    By a fresh quote only; one from before the refusal has a new one asked for.
    """
    quote = fresh_quote(account, position.symbol, dt.timedelta(seconds=settings.EXIT_QUOTE_MAX_AGE_SECONDS))
    since = refused.transact_time or refused.recorded_at
    if quote is None or quote.fetched_at is None or quote.fetched_at < since:
        want_quotes(account, [position.symbol])
    if quote is None or refused.stop_px is None:
        return False
    if position.qty > 0:
        return quote.bid_px is not None and quote.bid_px <= refused.stop_px
    return quote.ask_px is not None and quote.ask_px >= refused.stop_px


def _failed(position: Position, exit_reason: ExitReason, parent: Order) -> list[Order]:
    """Return the exits of this kind that came to nothing lately, newest first."""
    exits = Order.objects.filter(
        account=position.account_id,
        symbol=position.symbol,
        parent=parent,
        exit_reason=exit_reason,
        position_effect=PositionEffect.CLOSE,
        leg="",
        ended=True,
        cum_qty=Decimal(0),
        ord_status__in=CAME_TO_NOTHING,
        recorded_at__gt=timezone.now() - REFUSALS_COUNT_FOR,
    )
    return list(exits.order_by("-id"))
