"""What sizing needs to know: a price and the account's equity, asked of the broker by the trader's worker only."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.types import AccountReport, Quote, Side
from failpoints import failpoint
from orders.intake.sizing_rules import SizingMethod
from orders.models import AccountSnapshot, Order
from orders.services.quotes import fresh_quote


class FactsMissing(Exception):
    """There is no price that could be sized by, for now."""


@dataclass(frozen=True, slots=True)
class SizingFacts:
    """``price`` in the symbol's currency; ``equity`` and ``currency`` of the account where the rule asks for them."""

    price: Decimal
    priced_at: dt.datetime | None = None  # of the quote; None: the order's own price
    equity: Decimal | None = None
    currency: str | None = None
    equity_at: dt.datetime | None = None

    def times(self) -> dict[str, str]:
        times = {"priced_at": self.priced_at, "equity_at": self.equity_at}
        return {name: moment.isoformat() for name, moment in times.items() if moment is not None}


def facts_for(order_id: uuid.UUID, adapter: BrokerAdapter) -> SizingFacts:
    """Return what the order's rule needs, not older than ``SIZING_MAX_AGE_SECONDS``.

    The order's own limit or stop price counts before the market's. Outside of any transaction. Raises
    ``FactsMissing``, ``NotSent``, ``OutcomeUnknown``.
    """
    order = Order.objects.select_related("account").get(pk=order_id)
    max_age = dt.timedelta(seconds=settings.SIZING_MAX_AGE_SECONDS)
    price, priced_at = order.price or order.stop_px, None
    if price is None:
        price, priced_at = _market_price(order, adapter, max_age)
    if order.sizing is None or not SizingMethod(order.sizing["method"]).needs_equity:
        return SizingFacts(price, priced_at)
    snapshot = _snapshot(order.account_id, adapter, max_age)
    return SizingFacts(price, priced_at, snapshot.equity, snapshot.currency, snapshot.taken_at)


def keep_snapshot(account_id: uuid.UUID, report: AccountReport) -> AccountSnapshot:
    """Keep an account's figures as its broker has just given them."""
    figures = {name: getattr(report, name) for name in ("currency", "cash", "equity", "buying_power")}
    snapshot = AccountSnapshot(account_id=account_id, taken_at=timezone.now(), **figures)
    AccountSnapshot.objects.bulk_create(
        [snapshot],
        update_conflicts=True,
        unique_fields=["account"],
        update_fields=[*figures, "taken_at"],
    )
    failpoint("sizing.account")
    return snapshot


def _snapshot(account_id: uuid.UUID, adapter: BrokerAdapter, max_age: dt.timedelta) -> AccountSnapshot:
    kept = AccountSnapshot.objects.filter(account=account_id, taken_at__gte=timezone.now() - max_age).first()
    return kept or keep_snapshot(account_id, adapter.account())


def _market_price(order: Order, adapter: BrokerAdapter, max_age: dt.timedelta) -> tuple[Decimal, dt.datetime]:
    quote = _quote(order, adapter, max_age)
    age = timezone.now() - quote.quote_time
    if age > max_age:
        raise FactsMissing(f"the last quote of {order.symbol} is {age.total_seconds():.0f} s old")
    price = _price_of(quote, Side(order.side))
    if price is None:
        raise FactsMissing(f"the quote of {order.symbol} has no price to {order.side.lower()} at")
    return price, quote.quote_time


def _quote(order: Order, adapter: BrokerAdapter, max_age: dt.timedelta) -> Quote:
    kept = fresh_quote(order.account, order.symbol, max_age)
    if kept is None or kept.quote_time is None:
        return adapter.quote(order.symbol)
    return Quote(kept.symbol, kept.bid_px, kept.ask_px, kept.quote_time)


def _price_of(quote: Quote, side: Side) -> Decimal | None:
    """Return what the order would trade at: never the other side, which would make it larger than was asked for."""
    return quote.ask_px if side == Side.BUY else quote.bid_px
