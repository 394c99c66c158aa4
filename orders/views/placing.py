"""Place a manual order, from the dashboard or the API."""

import uuid
from dataclasses import dataclass
from functools import partial

from django.contrib.auth.models import AbstractBaseUser

from brokers.catalog import capabilities_of
from brokers.models import BrokerAccount
from orders.intake.gates import check_accounts, check_instrument, check_protection, check_terms
from orders.intake.order_request import OrderRequest
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.intake.replay import body_digest
from orders.intake.sizing import SizingError
from orders.models import Order, Source
from orders.protection import protection_of
from orders.selectors import fleet_is_alive
from orders.services.intake import AlreadyRecorded, record_order
from orders.services.quotas import QuotaExceeded
from orders.views.receipt import Budget
from orders.views.refusals import key_conflict, nothing_to_size, over_quota
from orders.views.waiting import (
    DATABASE_DOWN,
    answers,
    in_database,
    record_and_ring,
    release_connection,
    require_redis,
    unavailable,
)
from tasks.replies import is_answerable

RECORDING_MS = 2000
"""What a statement of the recording may take, however little the sender is willing to wait."""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """``answered``: the outcome is known; ``repeated``: the idempotency key had placed this order before."""

    order: Order
    answered: bool
    repeated: bool = False


async def place_order(
    *,
    user: AbstractBaseUser,
    account_id: uuid.UUID | None,
    request: OrderRequest,
    source: Source | str,
    idempotency_key: str | None,
    budget: Budget,
) -> PlacedOrder:
    """Record the order, hand it to the trader's worker, and wait for the outcome within the budget.

    The same key with the same request returns the first order. Raises ``ProblemError``.
    """
    await release_connection()
    await require_redis()
    record = partial(
        _record,
        user=user,
        account_id=account_id,
        request=request,
        source=Source(source),
        idempotency_key=idempotency_key,
        budget=budget,
    )
    try:
        orders, waiter = await in_database(record_and_ring, record)
    except AlreadyRecorded as error:
        return await in_database(_repeated, error.order_id, body_digest(request.body))
    except QuotaExceeded as error:
        raise ProblemError(over_quota(error)) from None
    except SizingError as error:
        raise ProblemError(nothing_to_size(error, ProblemType.INVALID_ORDER)) from None
    except DATABASE_DOWN:
        raise ProblemError(unavailable("The desk's database is not reachable.")) from None
    orders, answered = await answers(orders, waiter, budget)
    return PlacedOrder(orders[0], answered)


def _record(
    *,
    user: AbstractBaseUser,
    account_id: uuid.UUID | None,
    request: OrderRequest,
    source: Source,
    idempotency_key: str | None,
    budget: Budget,
) -> list[Order]:
    trader = check_terms(getattr(user, "trader", None))
    account = _account(user, account_id)
    check_accounts([account])
    _check_ord_type(account, request)
    check_instrument(account, request, ProblemType.INVALID_ORDER)
    protection = protection_of(request, places_targets=True)
    check_protection([account], protection, request.quantity, ProblemType.INVALID_ORDER)
    if not fleet_is_alive():
        raise ProblemError(unavailable("No fleet is running; nothing was recorded."))
    order = record_order(
        trader=trader,
        account=account,
        request=request,
        source=source,
        received_at=budget.received_at,
        statement_timeout_ms=max(budget.left_ms, RECORDING_MS),
        idempotency_key=idempotency_key,
        request_digest=body_digest(request.body),
    )
    return [order]


def _account(user: AbstractBaseUser, account_id: uuid.UUID | None) -> BrokerAccount:
    """Return the account that was named, or the only one there is. Raises ``ProblemError``."""
    accounts = BrokerAccount.objects.filter(user=user.pk)
    if account_id is not None:
        accounts = accounts.filter(pk=account_id)
    found = list(accounts[:2])
    if not found:
        raise ProblemError(Problem(ProblemType.NO_ACCOUNT, "There is no such broker account."))
    if len(found) > 1:
        raise ProblemError(Problem(ProblemType.INVALID_ORDER, "Name the account: there are several."))
    return found[0]


def _check_ord_type(account: BrokerAccount, request: OrderRequest) -> None:
    if request.ord_type not in capabilities_of(account.broker).ord_types:
        detail = f"{account.label} does not take {request.ord_type} orders."
        raise ProblemError(Problem(ProblemType.INVALID_ORDER, detail))


def _repeated(order_id: uuid.UUID | None, digest: str) -> PlacedOrder:
    order = Order.objects.get(pk=str(order_id))
    if order.request_digest != digest:
        raise ProblemError(key_conflict(order_id))
    return PlacedOrder(order, is_answerable(order), repeated=True)
