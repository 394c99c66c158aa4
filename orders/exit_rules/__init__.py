"""Exit rules: when an open position is to be closed by the desk itself. Pure: no clock, no database."""

from orders.exit_rules.evaluate import Rule, Situation, better_mark, rule_met
from orders.exit_rules.expiry import expiry_of
from orders.exit_rules.rules import NO_RULES, Rules

__all__ = ["NO_RULES", "Rule", "Rules", "Situation", "better_mark", "expiry_of", "rule_met"]
