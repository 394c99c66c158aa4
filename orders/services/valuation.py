"""Value open positions by the quotes that the trader's worker has fetched."""

import datetime as dt
import uuid
from collections import defaultdict
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.models import BrokerAccount
from failpoints import failpoint
from orders.exit_rules import better_mark
from orders.hours import hours_of
from orders.models import Errand, Position, Quote, Trade
from orders.positions.valuation import mark_of
from orders.services.errands import write_errand
from orders.services.marks import MARK_COLUMNS, mark_position
from orders.services.retrying import retried

SPREAD = 0.8
"""Over so much of the time between two sweeps the accounts' turns are spread: each is over before it comes again."""


def write_valuation_errands() -> None:
    """Have the workers fetch quotes for every account with an open position that is due.

    Due is an account where the market of one of its positions is not known to be closed, each time; the others
    every ``VALUATION_QUIET_SECONDS``.
    """
    symbols: dict[uuid.UUID, set[str]] = defaultdict(set)
    for account_id, symbol in Position.objects.exclude(qty=0).values_list("account", "symbol"):
        symbols[account_id].add(symbol)
    now = timezone.now()
    quiet_since = now - dt.timedelta(seconds=settings.VALUATION_QUIET_SECONDS)
    recent = Quote.objects.filter(account__in=symbols, fetched_at__gt=quiet_since)
    fetched = set(recent.values_list("account", flat=True))
    for account in BrokerAccount.objects.filter(pk__in=symbols).order_by("pk"):
        if account.pk not in fetched or any(is_active(account, name, now) for name in symbols[account.pk]):
            due_at = now + _share_of_turn(account.pk)
            write_errand(
                user_id=account.user_id, account_id=account.pk, kind=Errand.Kind.QUOTES, due_at=due_at
            )
    failpoint("valuation.errands")


def _share_of_turn(account_id: uuid.UUID) -> dt.timedelta:
    """Return how long after the sweep this account's turn is, always the same: all at once are in each other's way."""
    share = account_id.int % 1000 / 1000
    return dt.timedelta(seconds=SPREAD * settings.SWEEP_VALUATION_SECONDS * share)


def is_active(account: BrokerAccount, symbol: str, at: dt.datetime) -> bool:
    """Say whether the symbol may trade now: what is not known to be closed may."""
    return not hours_of(account.market_of(symbol)).is_closed(at)


@retried
def value_position(position: Position) -> Position:
    """Value a position by the quote that is kept of it; return it as it is then.

    Without a usable quote the old value stays with its time, as it does where the quote is older than that value.
    The books are not touched; the row is locked as for booking.
    """
    with transaction.atomic():
        # Not by ``lock_position``: a row that is written twice in one transaction has its foreign keys checked, and
        # the account locked after the position. Whoever records an exit takes the two the other way round.
        position = Position.objects.select_for_update(of=("self",)).get(pk=position.pk)
        quote = Quote.objects.filter(account=position.account_id, symbol=position.symbol).first()
        if position.qty and quote is not None and _is_newer(quote, position):
            mark = mark_of(quote.bid_px, quote.ask_px)
            if mark is not None and quote.quote_time is not None:
                mark_position(position, mark, quote_time=quote.quote_time, at=timezone.now())
                position.save(update_fields=MARK_COLUMNS)
                _keep_best_mark(position, mark, quote.quote_time)
        failpoint("valuation.before_commit")
    failpoint("valuation.after_commit")
    return position


def _keep_best_mark(position: Position, mark: Decimal, quote_time: dt.datetime) -> None:
    """Keep the best mark of the trade under way; one from before its first fill does not count."""
    trade = Trade.objects.filter(
        account=position.account_id,
        symbol=position.symbol,
        status=Trade.Status.POSITION,
        opened_at__lte=quote_time,
    ).first()
    if trade is not None:
        best = better_mark(position.qty, trade.best_mark_px, mark)
        if best != trade.best_mark_px:
            Trade.objects.filter(pk=trade.pk).update(best_mark_px=best)


def _is_newer(quote: Quote, position: Position) -> bool:
    if quote.quote_time is None:
        return False
    return position.quote_time is None or quote.quote_time >= position.quote_time
