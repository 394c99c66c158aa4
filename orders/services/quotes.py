"""Quotes: asked for by anybody, fetched by the trader's worker alone, kept with their time."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.models import BrokerAccount
from brokers.types import Quote as BrokerQuote
from failpoints import failpoint
from orders.models import Errand, Position, Quote
from orders.positions.valuation import is_usable
from orders.services.errands import write_errand
from orders.services.retrying import retried

MOST_SYMBOLS = 100
"""Of one call: what every broker takes."""
WANTED_SECONDS = 300.0
"""For how long a quote that does not come is asked for."""

WANT = """
INSERT INTO orders_quote (account_id, symbol, wanted_at) VALUES (%s, %s, now())
ON CONFLICT (account_id, symbol) DO UPDATE SET wanted_at = now()
"""

# A quote never takes the place of a newer one; that it was asked for stands until it was answered after that.
STORE = """
INSERT INTO orders_quote AS kept (account_id, symbol, bid_px, ask_px, quote_time, fetched_at)
VALUES (%(account)s, %(symbol)s, %(bid_px)s, %(ask_px)s, %(quote_time)s, %(fetched_at)s)
ON CONFLICT (account_id, symbol) DO UPDATE SET
    bid_px = excluded.bid_px, ask_px = excluded.ask_px, quote_time = excluded.quote_time,
    fetched_at = excluded.fetched_at,
    wanted_at = CASE WHEN kept.wanted_at > excluded.fetched_at THEN kept.wanted_at END
WHERE kept.fetched_at IS NULL OR kept.fetched_at <= excluded.fetched_at
"""


def want_quotes(account: BrokerAccount, symbols: Iterable[str]) -> None:
    """Ask the trader's worker for quotes of these symbols, in the caller's transaction.

    Rings nobody: that is for after the commit. Asking again before they are there changes nothing.
    """
    wanted = sorted(set(symbols))
    with transaction.atomic(), connection.cursor() as cursor:
        for symbol in wanted:
            cursor.execute(WANT, [account.pk, symbol])
        if wanted:
            write_errand(user_id=account.user_id, account_id=account.pk, kind=Errand.Kind.QUOTES)


def fresh_quote(account: BrokerAccount, symbol: str, max_age: dt.timedelta) -> Quote | None:
    """Return the account's quote of the symbol unless it is older than ``max_age``; None without a usable one.

    Its age is counted from the broker's own time of it. A clock of the broker's that is ahead of ours makes nothing
    fresh for longer: what counts then is when it was fetched.
    """
    quote = Quote.objects.filter(account=account, symbol=symbol, quote_time__isnull=False).first()
    return quote if quote is not None and is_fresh(quote, timezone.now(), max_age) else None


def is_fresh(quote: Quote, at: dt.datetime, max_age: dt.timedelta) -> bool:
    """Say whether a quote is no older than ``max_age`` at that moment."""
    if quote.quote_time is None or quote.fetched_at is None:
        return False
    return at - min(quote.quote_time, quote.fetched_at) <= max_age


def fetch_quotes(account_id: uuid.UUID, adapter: BrokerAdapter) -> None:
    """Fetch quotes of all that the account holds or somebody has asked for, outside of any transaction, and keep them.

    Raises ``NotSent`` or ``OutcomeUnknown`` where the broker gives no answer; what is there stays, with its time.
    """
    held = Position.objects.filter(account=account_id).exclude(qty=0).values_list("symbol", flat=True)
    since = timezone.now() - dt.timedelta(seconds=WANTED_SECONDS)
    wanted = Quote.objects.filter(account=account_id, wanted_at__gt=since).values_list("symbol", flat=True)
    known = set(held)
    # Apart: where somebody wants a symbol that the broker has never heard of, the held ones do not go without.
    for symbols in (sorted(known), sorted(set(wanted) - known)):
        for first in range(0, len(symbols), MOST_SYMBOLS):
            _fetch(account_id, adapter, symbols[first : first + MOST_SYMBOLS])


def _fetch(account_id: uuid.UUID, adapter: BrokerAdapter, symbols: Sequence[str]) -> None:
    asked_at = timezone.now()
    failpoint("quotes.before")
    quotes = adapter.quotes(symbols)
    failpoint("quotes.after")
    store_quotes(account_id, symbols, quotes, fetched_at=asked_at)


@retried
def store_quotes(
    account_id: uuid.UUID, symbols: Iterable[str], quotes: Iterable[BrokerQuote], *, fetched_at: dt.datetime
) -> None:
    """Keep what the broker has answered about ``symbols``; one that it has no usable quote of is kept as without.

    ``fetched_at`` is when it was asked. A later answer is never overwritten by an earlier one.
    """
    usable = {quote.symbol: quote for quote in quotes if is_usable(quote.bid_px, quote.ask_px)}
    with transaction.atomic(), connection.cursor() as cursor:
        for symbol in sorted(set(symbols)):
            quote = usable.get(symbol)
            values: dict[str, Any] = {
                "account": account_id,
                "symbol": symbol,
                "bid_px": quote and quote.bid_px,
                "ask_px": quote and quote.ask_px,
                "quote_time": quote and quote.quote_time,
                "fetched_at": fetched_at,
            }
            cursor.execute(STORE, values)
        failpoint("quotes.before_commit")
    failpoint("quotes.after_commit")
