"""What is done to a strategy."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from orders.models import Strategy


def pause_strategy(*, user: AbstractBaseUser, strategy_id: uuid.UUID) -> Strategy:
    """Stop taking entries from the strategy's alerts; its exits still go through.

    Pausing a paused strategy changes nothing. Raises ``Strategy.DoesNotExist`` where the user has none
    of this id.
    """
    return _set_paused(user, strategy_id, paused=True)


def resume_strategy(*, user: AbstractBaseUser, strategy_id: uuid.UUID) -> Strategy:
    """Take entries from the strategy's alerts again.

    Resuming a strategy that is not paused changes nothing. Raises ``Strategy.DoesNotExist`` where the
    user has none of this id.
    """
    return _set_paused(user, strategy_id, paused=False)


def set_sizing(*, user: AbstractBaseUser, strategy_id: uuid.UUID, sizing: Mapping[str, Any]) -> Strategy:
    """Set how much the strategy trades, column by column; what is recorded already keeps the rule that it has.

    Raises ``Strategy.DoesNotExist`` where the user has none of this id, ``IntegrityError`` for a rule that makes no
    sense.
    """
    strategy = Strategy.objects.get(pk=strategy_id, user=user.pk)
    for name, value in sizing.items():
        setattr(strategy, name, value)
    strategy.save(update_fields=list(sizing))
    return strategy


def _set_paused(user: AbstractBaseUser, strategy_id: uuid.UUID, *, paused: bool) -> Strategy:
    strategy = Strategy.objects.get(pk=strategy_id, user=user.pk)
    if strategy.paused is not paused:
        # One column, so that an edit of the others at the same moment is not undone.
        strategy.paused = paused
        strategy.save(update_fields=["paused"])
    return strategy
