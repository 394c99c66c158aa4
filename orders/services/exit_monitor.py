"""Close positions by their exit rules. Run by the trader's worker, right after it has fetched quotes.

There the quotes are as fresh as they can be, the lease proves that nobody else decides for this trader, and what is
recorded is sent in the same breath. A position is looked at without its lock first; only where a rule is met is it
locked and looked at once more, so that of any number of monitors one records the exit and the others find it.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect, Side
from failpoints import failpoint
from orders.exit_rules import Rule, Rules, Situation, expiry_of, rule_met
from orders.hours import hours_of
from orders.models import AttentionItem, ExitReason, Order, Position, Quote, Source, Trade
from orders.positions.valuation import mark_of
from orders.services.attention import open_item
from orders.services.exit_rules import rules_for
from orders.services.exits import record_exit
from orders.services.leases import Fence, hold_lease
from orders.services.positions import lock_position
from orders.services.quantities import lock_account
from orders.services.quotes import is_fresh
from orders.services.retrying import retried
from orders.services.valuation import is_active

RULE_REASONS = tuple(ExitReason(rule) for rule in Rule)
FAILED = (OrdStatus.DENIED, OrdStatus.REJECTED, OrdStatus.CANCELED, OrdStatus.EXPIRED)
FIRST_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 960.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a position at a moment."""

    trade: Trade | None = None
    rule: Rule | None = None
    stale: bool = False
    """A rule needs a price, the market is not closed, and there is no fresh quote."""


def watch_position(position: Position, fence: Fence) -> Order | None:
    """Close a position if one of its rules is met; return the exit that is under way for it, if any.

    Safe to call at any time and by any number of processes: one exit is placed. Notes whether a quote is missing.
    """
    verdict = judge(position, timezone.now())
    note_staleness(position, stale=verdict.stale)
    return None if verdict.rule is None else _close(position, fence)


def judge(position: Position, at: dt.datetime) -> Verdict:
    """Return what the rules say of an open position at that moment; of a closed market's, nothing."""
    account = position.account
    trade = Trade.objects.filter(
        account=account, symbol=position.symbol, status=Trade.Status.POSITION
    ).first()
    if not position.qty or trade is None or trade.opened_at is None:
        return Verdict()
    rules = rules_for(position.user_id, trade.strategy_id)
    if rules == Rules() or not is_active(account, position.symbol, at):
        return Verdict()
    quote = Quote.objects.filter(account=account, symbol=position.symbol).first()
    is_stale = rules.need_quote and (quote is None or not is_fresh(quote, at, _max_age()))
    situation = _situation(position, trade.opened_at, trade, None if is_stale else quote, at)
    return Verdict(trade, rule_met(rules, situation), stale=is_stale)


def _situation(
    position: Position, opened_at: dt.datetime, trade: Trade, quote: Quote | None, at: dt.datetime
) -> Situation:
    market = hours_of(position.account.market_of(position.symbol))
    session, expiry = market.session_of(at), expiry_of(position.symbol)
    today = at.astimezone(market.market.zone).date()
    mark_px = None
    # A price from before the entry says nothing about how the trade goes.
    if quote is not None and quote.quote_time is not None and quote.quote_time >= opened_at:
        mark_px = mark_of(quote.bid_px, quote.ask_px)
    return Situation(
        qty=position.qty,
        cost=position.cost,
        held=at - opened_at,
        mark_px=mark_px,
        best_mark_px=trade.best_mark_px,
        days_to_expiry=None if expiry is None else (expiry - today).days,
        to_close=None if session is None else session.closes_at - at,
    )


@retried
def _close(position: Position, fence: Fence) -> Order | None:
    """Record the exit that a rule asks for, under the position's lock, unless the last one failed just now."""
    with transaction.atomic():
        hold_lease(fence)
        # As a fill's transaction has it: the account before the position, or the two would wait for each other.
        account = position.account
        lock_account(account)
        locked = lock_position(position.user_id, position.account_id, position.symbol)
        verdict = judge(locked, timezone.now())
        if verdict.rule is None or verdict.trade is None or _is_put_off(locked, verdict.trade):
            return None
        order = record_exit(
            account,
            locked.symbol,
            side=Side.SELL if locked.qty > 0 else Side.BUY,
            qty=None,
            exit_reason=ExitReason(verdict.rule),
            source=Source.DESK,
            strategy=verdict.trade.strategy,
            writer="worker",
        )
        failpoint("exit_rule.before_commit")
    failpoint("exit_rule.after_commit")
    return order


def _is_put_off(position: Position, trade: Trade) -> bool:
    """Say whether a rule's exit of this trade failed and is not to be tried again yet; the operators are told."""
    failed = Order.objects.filter(
        account=position.account_id,
        symbol=position.symbol,
        position_effect=PositionEffect.CLOSE,
        exit_reason__in=RULE_REASONS,
        source=Source.DESK,
        ended=True,
        ord_status__in=FAILED,
        recorded_at__gte=trade.ordered_at,
    ).order_by("-recorded_at")
    last, count = failed.first(), failed.count()
    if last is None:
        return False
    wait = min(FIRST_WAIT_SECONDS * 2 ** (count - 1), LONGEST_WAIT_SECONDS)
    detail = f"The exit by {last.exit_reason} came to {last.ord_status} ({last.reason}); tried {count} times."
    open_item(AttentionItem.Kind.EXIT_RULE_FAILED, order=last, detail=detail)
    return timezone.now() < last.recorded_at + dt.timedelta(seconds=wait)


def note_staleness(position: Position, *, stale: bool) -> None:
    """Note since when a rule of the position's has waited for a fresh quote, or that none waits."""
    if stale != (position.stale_since is not None):
        position.stale_since = timezone.now() if stale else None
        Position.objects.filter(pk=position.pk).update(stale_since=position.stale_since)
        failpoint("exit_rule.staleness")


def _max_age() -> dt.timedelta:
    return dt.timedelta(seconds=settings.EXIT_QUOTE_MAX_AGE_SECONDS)
