"""How sizing reads: a strategy's rule, and what an order was sized by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orders.intake.sizing_rules import SizingMethod
from orders.models import Order, Strategy
from orders.views.wording import plain_number

_RULES = {
    SizingMethod.CASH: "an amount of {}",
    SizingMethod.PERCENT_OF_EQUITY: "{} % of the account's equity",
    SizingMethod.RISK_AMOUNT: "a risk of {}, by the stop loss",
    SizingMethod.RISK_PERCENT: "a risk of {} % of the account's equity, by the stop loss",
    SizingMethod.FIXED: "{}",
}
_USED = (("price", "at {}"), ("equity", "equity {}"), ("stop_distance", "stop {} away"))


def rule_words(strategy: Strategy) -> str:
    """Say how an entry is sized whose alert names no quantity; '' where it has to name one."""
    rule = strategy.sizing_rule
    return _RULES[rule.method].format(plain_number(rule.value)) if rule else ""


def limit_words(strategy: Strategy) -> str:
    """Say what bounds the strategy's entries; '' where nothing does."""
    named = (
        ("at least {}", strategy.min_quantity),
        ("at most {}", strategy.max_quantity),
        ("worth at least {}", strategy.min_notional),
        ("worth at most {}", strategy.max_notional),
    )
    return ", ".join(words.format(plain_number(limit)) for words, limit in named if limit is not None)


def sizing_words(order: Order) -> str:
    """Say by which rule an order is sized, and by what it was; '' where its quantity was given."""
    sizing: Mapping[str, Any] | None = order.sizing
    if sizing is None:
        return ""
    rule = _RULES[SizingMethod(sizing["method"])].format(sizing["value"])
    used = sizing.get("used", {})
    parts = [rule, *(words.format(used[name]) for name, words in _USED if name in used)]
    return ", ".join(parts)
