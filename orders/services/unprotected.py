"""Watch over what is to be protected: a position without a working stop is an alarm, and is looked at again."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from failpoints import failpoint
from orders.models import AttentionItem, Errand, Leg, Order, Trade
from orders.services.attention import open_item
from orders.services.errands import write_errand

# By trade, since a position is as old as its trade; by its newest entry that says so, which the alarm names.
# A stop counts from the moment at which the broker has it: held beside its target, new, partly filled.
UNPROTECTED = """
SELECT DISTINCT ON (trade.id) trade.user_id, trade.account_id, trade.symbol, entry.id AS entry_id,
       entry.protection IS NOT NULL AS asked_for
FROM orders_trade AS trade
JOIN orders_tradeorder AS leg ON leg.trade_id = trade.id AND leg.role = 'ENTRY' AND leg.qty > 0
JOIN orders_order AS entry ON entry.id = leg.order_id AND entry.position_effect = 'OPEN'
LEFT JOIN orders_strategy AS strategy ON strategy.id = entry.strategy_id
WHERE trade.status = 'POSITION'
  AND (entry.protection ? 'stop_loss' OR entry.protection ? 'trailing' OR strategy.demands_protection)
  AND NOT EXISTS (
    SELECT FROM orders_order AS stop
    WHERE stop.account_id = trade.account_id AND stop.symbol = trade.symbol AND stop.leg = 'STOP_LOSS'
      AND NOT stop.ended AND stop.broker_order_id <> '' AND stop.next_check_at IS NOT NULL)
  AND greatest(trade.opened_at, (
    SELECT max(stop.transact_time) FROM orders_order AS stop
    WHERE stop.account_id = trade.account_id AND stop.symbol = trade.symbol AND stop.leg = 'STOP_LOSS'
      AND stop.ended AND stop.broker_order_id <> '' AND stop.recorded_at >= trade.ordered_at
  )) <= statement_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY trade.id, entry.id DESC
"""
DETAIL = "no working stop loss for {seconds:g} s or more: {symbol}"
NEVER_ASKED = "; its strategy demands one, and the entry came without"


@dataclass(frozen=True, slots=True)
class Unprotected:
    """A position that has been without a working stop for too long."""

    user_id: int
    account_id: UUID
    symbol: str
    entry_id: UUID
    asked_for: bool


def unprotected_positions() -> list[Unprotected]:
    """Return open positions that have no working stop for ``UNPROTECTED_ALARM_SECONDS`` and are to have one."""
    with connection.cursor() as cursor:
        cursor.execute(UNPROTECTED, {"seconds": settings.UNPROTECTED_ALARM_SECONDS})
        return [Unprotected(*row) for row in cursor.fetchall()]


def watch_protection() -> list[int]:
    """Alarm for each unprotected position, close the alarms that are over, and have the worker look again.

    Returns the traders whose worker is to be rung for. Safe to call at any time, also by two at once.
    """
    found = unprotected_positions()
    for one in found:
        _alarm(one)
    _close_settled(found)
    failpoint("protect.watched")
    return sorted({one.user_id for one in found if one.asked_for})


def _alarm(one: Unprotected) -> None:
    detail = DETAIL.format(seconds=settings.UNPROTECTED_ALARM_SECONDS, symbol=one.symbol)
    with transaction.atomic():
        entry = Order.objects.get(pk=one.entry_id)
        detail += "" if one.asked_for else NEVER_ASKED
        open_item(AttentionItem.Kind.UNPROTECTED, order=entry, detail=detail)
        if one.asked_for:
            kind = Errand.Kind.TEND_POSITION
            write_errand(user_id=one.user_id, account_id=one.account_id, kind=kind, symbol=one.symbol)


def _close_settled(found: Sequence[Unprotected]) -> None:
    """Close the alarms of positions that are gone, or have their stop; one without it may be young still."""
    items = AttentionItem.objects.filter(kind=AttentionItem.Kind.UNPROTECTED, resolved_at__isnull=True)
    stops = Order.objects.filter(
        leg=Leg.STOP_LOSS,
        ended=False,
        next_check_at__isnull=False,  # always so; it is the condition of the index that this reads
        account=OuterRef("order__account"),
        symbol=OuterRef("order__symbol"),
    )
    is_open = Trade.objects.filter(orders=OuterRef("order"), status=Trade.Status.POSITION)
    still = items.filter(Exists(is_open)).exclude(Exists(stops.exclude(broker_order_id="")))
    named = {one.entry_id for one in found} | set(still.values_list("order", flat=True))
    items.exclude(order__in=named).update(resolved_at=Now(), resolution="protected again, or closed")
