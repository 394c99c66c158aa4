"""Cancel or replace an order, from its page or the API: record it, hand it over, wait for the answer."""

import uuid
from collections.abc import Callable

from django.contrib.auth.models import AbstractBaseUser

from brokers.types import PositionEffect
from orders.intake.gates import check_terms
from orders.intake.problem import Problem, ProblemError, ProblemType, invalid_fields
from orders.intake.replace_request import InvalidRequest, ReplaceRequest
from orders.intake.replay import body_digest
from orders.models import Order, OrderRequest, Source
from orders.selectors import fleet_is_alive
from orders.services.requests import Asked, KeyUsedElsewhere, RequestRefused, record_cancel, record_replace
from orders.views.placing import RECORDING_MS
from orders.views.receipt import Budget
from orders.views.refusals import key_conflict, request_refused
from orders.views.waiting import (
    DATABASE_DOWN,
    answers,
    in_database,
    record_and_ring,
    release_connection,
    require_redis,
    start_listening,
    unavailable,
)
from tasks.replies import answer_requests


async def cancel_order(
    *,
    user: AbstractBaseUser,
    order_id: uuid.UUID,
    source: Source,
    idempotency_key: str | None,
    budget: Budget,
) -> OrderRequest:
    """Record a cancel, hand it to the trader's worker, and wait for the broker's answer within the budget.

    It is recorded whenever PostgreSQL answers: without Redis or a fleet it is sent as soon as they are back, and
    what was not sent yet never will be. Raises ``ProblemError``.
    """
    await release_connection()
    listening = await start_listening()
    asked = Asked(
        user_id=user.pk,
        order_id=order_id,
        source=source,
        received_at=budget.received_at,
        idempotency_key=idempotency_key,
        request_digest=body_digest({}),
    )

    def record() -> OrderRequest:
        recorded = record_cancel(asked, statement_timeout_ms=max(budget.left_ms, RECORDING_MS))
        if listening:  # else nobody could be told, and a dead Redis would hold up who cancels
            answer_requests(recorded.settled)
        return recorded.request

    return await _ask(record, budget, listening=listening)


async def replace_order(
    *,
    user: AbstractBaseUser,
    order_id: uuid.UUID,
    request: ReplaceRequest,
    source: Source,
    idempotency_key: str | None,
    budget: Budget,
) -> OrderRequest:
    """Record a replace, hand it to the trader's worker, and wait for the broker's answer within the budget.

    Raises ``ProblemError``.
    """
    await release_connection()
    await require_redis()
    asked = Asked(
        user_id=user.pk,
        order_id=order_id,
        source=source,
        received_at=budget.received_at,
        idempotency_key=idempotency_key,
        request_digest=body_digest(request.body),
    )

    def record() -> OrderRequest:
        _pass_gates(user, order_id)
        timeout_ms = max(budget.left_ms, RECORDING_MS)
        return record_replace(asked, request.terms, statement_timeout_ms=timeout_ms)

    return await _ask(record, budget)


def _pass_gates(user: AbstractBaseUser, order_id: uuid.UUID) -> None:
    """Check what any order needs. Raises ``ProblemError``, ``Order.DoesNotExist``."""
    order = Order.objects.only("position_effect").get(pk=order_id, user=user.pk)
    if order.position_effect == PositionEffect.OPEN:
        check_terms(getattr(user, "trader", None))
    if not fleet_is_alive():
        raise ProblemError(unavailable("No fleet is running; nothing was recorded."))


async def _ask(record: Callable[[], OrderRequest], budget: Budget, *, listening: bool = True) -> OrderRequest:
    """Return the request with its order as they stand when it is answered, or the budget ends."""
    try:
        requests, waiter = await in_database(record_and_ring, lambda: [record()])
    except Order.DoesNotExist:
        raise ProblemError(Problem(ProblemType.NOT_FOUND, "There is nothing of yours here.")) from None
    except RequestRefused as refused:
        raise ProblemError(request_refused(refused)) from None
    except InvalidRequest as error:
        raise ProblemError(invalid_fields(error, ProblemType.INVALID_REQUEST)) from None
    except KeyUsedElsewhere as error:
        raise ProblemError(key_conflict(error.order_id)) from None
    except DATABASE_DOWN:
        raise ProblemError(unavailable("The desk's database is not reachable.")) from None
    [request], _ = await answers(requests, waiter if listening else None, budget)
    return request
