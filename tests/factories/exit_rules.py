"""Exit rules, and positions that a worker watches by them."""

import datetime as dt
from typing import Any

from django.utils import timezone

from orders.models import AttentionItem, Order, Position, Source, Trade
from orders.services.exit_monitor import watch_position
from orders.services.exit_rules import set_exit_rules
from orders.services.leases import Fence
from orders.services.valuation import value_position
from tests.factories.quotes import keep_quote
from tests.factories.traders import Desk


def position_of(desk: Desk, symbol: str = "AAPL") -> Position:
    return Position.objects.get(account=desk.account, symbol=symbol)


def set_rules(desk: Desk, *, default: bool = False, **values: Any) -> None:
    set_exit_rules(user_id=desk.user.pk, strategy=None if default else desk.strategy, values=values)


def watch(desk: Desk, fence: Fence, price: str | None = None, **quote: float) -> Order | None:
    """Have the worker look at the position, with a new quote of this price."""
    if price is not None:
        keep_quote(desk.account, price, **quote)
    return watch_position(value_position(position_of(desk)), fence)


def exits(desk: Desk) -> list[Order]:
    return list(Order.objects.filter(account=desk.account, source=Source.DESK).order_by("id"))


def open_items(kind: AttentionItem.Kind) -> list[AttentionItem]:
    return list(AttentionItem.objects.filter(kind=kind, resolved_at=None))


def opened_ago(desk: Desk, **ago: float) -> None:
    """Have the trade under way begin so long ago."""
    Trade.objects.filter(status="POSITION").update(opened_at=timezone.now() - dt.timedelta(**ago))
