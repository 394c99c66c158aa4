"""Exit rules in words."""

from __future__ import annotations

from orders.models import ExitRules, Strategy
from orders.views.wording import plain_number


def own_rules_words(strategy: Strategy) -> str:
    """Say what a strategy has set itself, in one line."""
    own: ExitRules | None = getattr(strategy, "exit_rules", None)
    words = rules_words(own) if own is not None else ""
    if own is not None and own.stands_alone:
        return f"{words or 'None'}, and none of yours"
    return words or "As for every trade"


def rules_words(rules: ExitRules) -> str:
    """Name the rules that are set, in one line; empty where none is."""
    said = []
    for label, pct in (
        ("profit target", rules.profit_target_pct),
        ("stop loss", rules.stop_loss_pct),
        ("trailing stop", rules.trailing_pct),
    ):
        if pct is not None:
            said.append(f"{label} {plain_number(pct)} %")
    if rules.max_hold_minutes is not None:
        said.append(f"held for {rules.max_hold_minutes} min")
    if rules.days_to_expiry is not None:
        said.append(f"{rules.days_to_expiry} days to expiry")
    if rules.minutes_before_close is not None:
        said.append(f"{rules.minutes_before_close} min before the close")
    words = ", ".join(said)
    return words[:1].upper() + words[1:]
