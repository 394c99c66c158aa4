"""Positions that no worker gets to look at: the sweep sees that their exit rules wait, and tells the operators."""

import datetime as dt

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from orders.models import ExitRules, Position, Quote, Trade
from orders.services.exit_alarms import tell_stale_quotes
from orders.services.exit_monitor import judge, note_staleness
from orders.services.valuation import is_active

LOOKS = 3
"""How many looks of a worker may fail to come before its trader's positions count as unseen."""


def watch_unseen_positions() -> None:
    """Note which rules wait for a quote that no worker has fetched: it is gone, or cannot open the account.

    Only of trades and markets that have been open since before those looks.
    """
    now = timezone.now()
    since = now - dt.timedelta(
        seconds=LOOKS * settings.SWEEP_VALUATION_SECONDS + settings.EXIT_QUOTE_MAX_AGE_SECONDS
    )
    place = {"account": OuterRef("account"), "symbol": OuterRef("symbol")}
    open_for_long = Trade.objects.filter(status=Trade.Status.POSITION, opened_at__lt=since, **place)
    seen = Quote.objects.filter(fetched_at__gte=since, **place)
    unseen = Position.objects.filter(
        Exists(open_for_long), ~Exists(seen), Exists(ExitRules.objects.filter(user=OuterRef("user")))
    ).exclude(qty=0)
    waiting = set()
    for position in unseen.select_related("account").order_by("pk"):
        if is_active(position.account, position.symbol, since) and judge(position, now).stale:
            note_staleness(position, stale=True)
            waiting.add(position.user_id)
    for user_id in sorted(waiting):
        tell_stale_quotes(user_id)
