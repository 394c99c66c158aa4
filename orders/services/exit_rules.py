"""Exit rules: read them as they count for a trade, set them."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from orders.exit_rules import NO_RULES, Rules
from orders.models import ExitRules, Strategy


def rules_for(user_id: int, strategy_id: uuid.UUID | None) -> Rules:
    """Return the rules that count for a trader's trade of this strategy (None: by hand).

    The trader's defaults, with what the strategy sets in their place; of one that stands alone only its own.
    """
    rows = ExitRules.objects.filter(Q(strategy=None) | Q(strategy=strategy_id), user=user_id)
    by_strategy = {row.strategy_id: row for row in rows}
    defaults = by_strategy[None].rules if None in by_strategy else NO_RULES
    own = by_strategy.get(strategy_id) if strategy_id is not None else None
    if own is None:
        return defaults
    return own.rules if own.stands_alone else defaults.overridden_by(own.rules)


def set_exit_rules(*, user_id: int, strategy: Strategy | None, values: Mapping[str, Any]) -> ExitRules:
    """Set what is given of a strategy's rules, or of the trader's defaults; they count from the next look on."""
    if strategy is not None and strategy.user_id != user_id:
        raise ValueError("a strategy of another trader's")
    with transaction.atomic():
        rules, _ = ExitRules.objects.update_or_create(
            user_id=user_id, strategy=strategy, defaults=dict(values)
        )
    return rules
