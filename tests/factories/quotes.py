"""Quotes as a broker gives them."""

import datetime as dt
from decimal import Decimal

from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import Quote
from orders.services.quotes import store_quotes


def make_quote(
    symbol: str = "AAPL", bid: str | None = "100", ask: str | None = "same", *, age_seconds: float = 0.0
) -> Quote:
    """Return a quote of that age; one price alone is both sides."""
    ask = bid if ask == "same" else ask
    return Quote(
        symbol,
        None if bid is None else Decimal(bid),
        None if ask is None else Decimal(ask),
        timezone.now() - dt.timedelta(seconds=age_seconds),
    )


def keep_quote(account: BrokerAccount, price: str | None, symbol: str = "AAPL", **fields: float) -> None:
    """Have the account's worker keep a quote of one price, or (None) that there is none."""
    quotes = [] if price is None else [make_quote(symbol, price, **fields)]
    store_quotes(account.pk, [symbol], quotes, fetched_at=timezone.now())
