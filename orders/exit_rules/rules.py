"""The terms of exit rules, and how a strategy's own take the place of its trader's."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What closes a position; None: that rule is not set."""

    profit_target_pct: Decimal | None = None  # gain from the average entry price
    stop_loss_pct: Decimal | None = None  # loss from the average entry price
    trailing_pct: Decimal | None = None  # back from the best mark since the trade was opened
    max_hold_minutes: int | None = None  # since the trade was opened
    days_to_expiry: int | None = None  # calendar days, by the market's clock; 0 is the day itself
    minutes_before_close: int | None = None  # of the session that runs

    @property
    def need_quote(self) -> bool:
        """Say whether any of them looks at the price."""
        return (self.profit_target_pct, self.stop_loss_pct, self.trailing_pct) != (None, None, None)

    def overridden_by(self, own: Rules) -> Rules:
        """Return these with what ``own`` sets in their place."""
        set_there = {field.name: getattr(own, field.name) for field in fields(own)}
        return replace(self, **{name: value for name, value in set_there.items() if value is not None})


NO_RULES = Rules()
