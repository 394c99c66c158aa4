"""What the exit monitor tells the operators, and takes back by itself."""

import datetime as dt
import uuid

from failpoints import failpoint
from orders.models import AttentionItem, Position, Trade
from orders.services.attention import close_items, open_item, settle_items

MOST_NAMED = 10


def tell_stale_quotes(user_id: int) -> None:
    """Have one item of the attention list name the trader's positions whose rules wait for a quote, if any do."""
    kind = AttentionItem.Kind.STALE_QUOTE
    stale = Position.objects.filter(user=user_id, stale_since__isnull=False).exclude(qty=0)
    places = list(stale.order_by("symbol", "pk").values_list("symbol", "account__label")[: MOST_NAMED + 1])
    items = AttentionItem.objects.filter(kind=kind, user=user_id, order=None, resolved_at__isnull=True)
    if not places:
        if items.exists():
            settle_items(kind, user_id=user_id, resolution="Every quote that a rule needs is fresh again.")
        return
    named = ", ".join(f"{symbol} ({label})" for symbol, label in places[:MOST_NAMED])
    more = " and others" if len(places) > MOST_NAMED else ""
    detail = f"Exit rules wait for a fresh quote of {named}{more}."
    open_item(kind, user_id=user_id, detail=detail)
    items.exclude(detail=detail).update(detail=detail[:500])
    failpoint("exit_rule.stale_told")


def settle_alarms() -> None:
    """Close what is told of positions that are not open any more, or whose quotes are fresh again."""
    open_items = AttentionItem.objects.filter(resolved_at__isnull=True)
    stale = open_items.filter(kind=AttentionItem.Kind.STALE_QUOTE).values_list("user", flat=True)
    for user_id in sorted(stale):
        tell_stale_quotes(user_id)
    for item in open_items.filter(kind=AttentionItem.Kind.EXIT_RULE_FAILED).select_related("order"):
        order = item.order
        if order is not None and not _is_open_since(order.account_id, order.symbol, order.recorded_at):
            close_items(order, "The position is closed.", kind=AttentionItem.Kind.EXIT_RULE_FAILED)
            failpoint("exit_rule.settled")


def _is_open_since(account_id: uuid.UUID, symbol: str, recorded_at: dt.datetime) -> bool:
    trades = Trade.objects.filter(account=account_id, symbol=symbol, status=Trade.Status.POSITION)
    return trades.filter(ordered_at__lte=recorded_at).exists()
