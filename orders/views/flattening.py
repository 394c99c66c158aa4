"""Flatten, from the positions' page or the API: record it, hand it over, wait for the exits."""

import uuid
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser

from brokers.models import BrokerAccount
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Order, Source
from orders.services.flattening import Flattened, Scope, flatten
from orders.views.placing import RECORDING_MS
from orders.views.receipt import Budget
from orders.views.waiting import (
    DATABASE_DOWN,
    answers,
    in_database,
    record_and_ring,
    release_connection,
    start_listening,
    unavailable,
)
from tasks.dispatch import hand_over
from tasks.replies import answer_requests


@dataclass(frozen=True, slots=True)
class FlattenOutcome:
    """The exits as they stand, how many orders are canceled, and whether every exit's outcome is known."""

    exits: list[Order]
    canceled: int
    answered: bool


async def flatten_positions(
    *,
    user: AbstractBaseUser,
    account_id: uuid.UUID | None,
    symbol: str | None,
    source: Source,
    budget: Budget,
) -> FlattenOutcome:
    """Cancel and close what is named, hand it to the trader's worker, and wait for the exits within the budget.

    No rule stands in its way: it is recorded whenever PostgreSQL answers. Raises ``ProblemError``.
    """
    await release_connection()
    listening = await start_listening()
    scope = Scope(user_id=user.pk, account_id=account_id, symbol=symbol)
    done = Flattened()

    def record() -> list[Order]:
        nonlocal done
        _check_account(scope)
        done = flatten(scope, source=source, statement_timeout_ms=max(budget.left_ms, RECORDING_MS))
        if listening:
            answer_requests(done.settled)
        if done.canceled and not done.exits:
            hand_over(scope.user_id)
        return list(done.exits)

    try:
        exits, waiter = await in_database(record_and_ring, record)
    except DATABASE_DOWN:
        raise ProblemError(unavailable("The desk's database is not reachable.")) from None
    if not exits:
        return FlattenOutcome([], done.canceled, answered=True)
    exits, answered = await answers(exits, waiter if listening else None, budget)
    return FlattenOutcome(exits, done.canceled, answered)


def _check_account(scope: Scope) -> None:
    accounts = BrokerAccount.objects.filter(user=scope.user_id)
    if scope.account_id is not None and not accounts.filter(pk=scope.account_id).exists():
        raise ProblemError(Problem(ProblemType.NO_ACCOUNT, "There is no such broker account."))
