"""The webhook: a TradingView alert in, the order's outcome out, within TradingView's patience."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from brokers.catalog import capabilities_of
from brokers.models import BrokerAccount
from orders.intake.alert import Alert, InvalidAlert, UnsupportedContentType, parse_alert
from orders.intake.gates import check_terms, pass_gates
from orders.intake.layers import pass_layers
from orders.intake.problem import (
    Problem,
    ProblemError,
    ProblemType,
    invalid_fields,
    malformed,
    to_response,
)
from orders.intake.replay import replay_key
from orders.intake.sizing import SizingError
from orders.intake.strict_json import MalformedBody
from orders.models import Order
from orders.rendering import order_json
from orders.selectors import accounts_of_strategy, fleet_is_alive, strategy_by_token
from orders.services.intake import AlreadyRecorded, record_alert
from orders.services.quotas import QuotaExceeded
from orders.views.receipt import Budget, Receipt
from orders.views.refusals import nothing_to_size, over_quota
from orders.views.waiting import (
    DATABASE_DOWN,
    answers,
    in_database,
    record_and_ring,
    require_redis,
    unavailable,
)
from tasks.replies import Waiter

log = structlog.get_logger(__name__)


@csrf_exempt
async def tradingview(request: HttpRequest, token: str) -> JsonResponse:
    """Take one alert. Every answer that is not the outcome of an order is problem details (RFC 9457)."""
    budget = Budget(settings.WEBHOOK_BUDGET_SECONDS, Receipt.of(request))
    try:
        if request.method != "POST":
            raise ProblemError(_method_not_allowed())
        alert = _parse(request)
        await require_redis()
        record = partial(
            _record,
            token=token,
            alert=alert,
            raw=request.body,
            signature=request.headers.get("X-Signature"),
            budget=budget,
        )
        orders, waiter = await _recorded(record)
    except ProblemError as error:
        log.info("alert refused", token=token[:6], problem=error.problem.kind.code)
        return to_response(error.problem)
    orders, answered = await answers(orders, waiter, budget)
    return _respond(orders, answered)


def _parse(request: HttpRequest) -> Alert:
    try:
        return parse_alert(request.body, request.headers.get("Content-Type"))
    except RequestDataTooBig:
        raise ProblemError(Problem(ProblemType.BODY_TOO_LARGE, "The body is too long.")) from None
    except MalformedBody as error:
        raise ProblemError(malformed(error)) from None
    except InvalidAlert as error:
        raise ProblemError(invalid_fields(error, ProblemType.INVALID_ALERT)) from None
    except UnsupportedContentType as error:
        raise ProblemError(Problem(ProblemType.UNSUPPORTED_MEDIA_TYPE, str(error))) from None


async def _recorded(record: Callable[[], list[Order]]) -> tuple[list[Order], Waiter | None]:
    """Run the recording unit and translate what it refuses. Raises ``ProblemError``."""
    try:
        return await in_database(record_and_ring, record)
    except AlreadyRecorded as error:
        order_id = str(error.order_id) if error.order_id else None
        detail = "This alert was accepted before; nothing was done."
        raise ProblemError(
            Problem(ProblemType.DUPLICATE_ALERT, detail, extra={"order_id": order_id})
        ) from None
    except QuotaExceeded as error:
        raise ProblemError(over_quota(error)) from None
    except SizingError as error:
        raise ProblemError(nothing_to_size(error, ProblemType.INVALID_ALERT)) from None
    except DATABASE_DOWN as error:
        # Also where the commit's own outcome is unknown: the resend is accepted, or meets 409.
        log.warning("alert not recorded", error=str(error))
        raise ProblemError(unavailable("The desk's database is not reachable.")) from None


def _record(*, token: str, alert: Alert, raw: bytes, signature: str | None, budget: Budget) -> list[Order]:
    """Pass the layers and the gates, then record: one unit in one thread."""
    strategy = pass_layers(
        strategy_by_token(token), alert, raw=raw, signature=signature, now=budget.received_at
    )
    accounts = accounts_of_strategy(strategy)
    pass_gates(strategy, accounts, alert)
    _check_ord_type(accounts, alert)
    if not fleet_is_alive():
        raise ProblemError(unavailable("No fleet is running; nothing was recorded."))
    return record_alert(
        strategy=strategy,
        trader=check_terms(strategy.user.trader),
        accounts=accounts,
        alert=alert,
        replay_key=replay_key(alert.alert_id, alert.body),
        received_at=budget.received_at,
        statement_timeout_ms=budget.left_ms,
    )


def _check_ord_type(accounts: Sequence[BrokerAccount], alert: Alert) -> None:
    for account in accounts:
        if alert.ord_type not in capabilities_of(account.broker).ord_types:
            detail = f"{account.label} does not take {alert.ord_type} orders."
            raise ProblemError(Problem(ProblemType.INVALID_ALERT, detail))


def _respond(orders: list[Order], answered: bool) -> JsonResponse:
    if not orders:
        return JsonResponse({"orders": [], "detail": "There is no such position; nothing to do."})
    body: dict[str, Any] = (
        order_json(orders[0]) if len(orders) == 1 else {"orders": [order_json(order) for order in orders]}
    )
    if answered:
        return JsonResponse(body)
    body["url"] = f"{settings.BASE_URL}/api/v1/orders/{orders[0].id}"
    return JsonResponse(body, status=202, headers={"Location": body["url"]})


def _method_not_allowed() -> Problem:
    return Problem(ProblemType.METHOD_NOT_ALLOWED, "Send alerts with POST.", headers={"Allow": "POST"})
