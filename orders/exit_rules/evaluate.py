"""Which rule says that a position is to be closed now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum

from orders.exit_rules.rules import Rules
from orders.positions.amounts import EXACT


class Rule(StrEnum):
    """The rules by their codes, in the order in which they are asked: what limits a loss goes first."""

    STOP_LOSS_RULE = "STOP_LOSS_RULE"
    TRAILING_RULE = "TRAILING_RULE"
    PROFIT_TARGET = "PROFIT_TARGET"
    EXPIRY_NEAR = "EXPIRY_NEAR"
    SESSION_END = "SESSION_END"
    MAX_HOLD = "MAX_HOLD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """An open position as the rules see it."""

    qty: Decimal  # signed: short is negative; never zero
    cost: Decimal  # signed like it: what the open quantity was traded for
    held: dt.timedelta  # since the trade's first fill
    mark_px: Decimal | None = None  # by a fresh quote; None: no rule that needs one is met
    best_mark_px: Decimal | None = None  # the best mark since the first fill, this one counted
    days_to_expiry: int | None = None  # None: it does not expire
    to_close: dt.timedelta | None = (
        None  # until the session that runs ends; None: none runs, or it never ends
    )


def rule_met(rules: Rules, now: Situation) -> Rule | None:
    """Return the first rule that is met, each at its edge already; None where none is."""
    met = {
        Rule.STOP_LOSS_RULE: _has_gained(now, rules.stop_loss_pct, sign=-1),
        Rule.TRAILING_RULE: _has_come_back(now, rules.trailing_pct),
        Rule.PROFIT_TARGET: _has_gained(now, rules.profit_target_pct, sign=1),
        Rule.EXPIRY_NEAR: _expires_within(now.days_to_expiry, rules.days_to_expiry),
        Rule.SESSION_END: _closes_within(now.to_close, rules.minutes_before_close),
        Rule.MAX_HOLD: _is_held_for(now.held, rules.max_hold_minutes),
    }
    return next((rule for rule in Rule if met[rule]), None)


def better_mark(qty: Decimal, best: Decimal | None, mark_px: Decimal) -> Decimal:
    """Return the better of two marks for whoever holds ``qty``: the higher one for a long position."""
    if best is None:
        return mark_px
    return max(best, mark_px) if qty > 0 else min(best, mark_px)


def _has_gained(now: Situation, pct: Decimal | None, *, sign: int) -> bool:
    """Say whether the gain (sign 1) or loss (-1) has come to ``pct`` of what was paid; exact, nothing is divided."""
    if pct is None or now.mark_px is None or not now.cost:
        return False
    with localcontext(EXACT):
        gain = now.qty * now.mark_px - now.cost
        return 100 * sign * gain >= pct * abs(now.cost)


def _has_come_back(now: Situation, pct: Decimal | None) -> bool:
    """Say whether the mark is ``pct`` of the best one away from it, on the wrong side."""
    if pct is None or now.mark_px is None or now.best_mark_px is None:
        return False
    with localcontext(EXACT):
        lost = now.best_mark_px - now.mark_px if now.qty > 0 else now.mark_px - now.best_mark_px
        return 100 * lost >= pct * now.best_mark_px


def _expires_within(days_to_expiry: int | None, days: int | None) -> bool:
    return days is not None and days_to_expiry is not None and days_to_expiry <= days


def _closes_within(to_close: dt.timedelta | None, minutes: int | None) -> bool:
    return minutes is not None and to_close is not None and to_close <= dt.timedelta(minutes=minutes)


def _is_held_for(held: dt.timedelta, minutes: int | None) -> bool:
    return minutes is not None and held >= dt.timedelta(minutes=minutes)
