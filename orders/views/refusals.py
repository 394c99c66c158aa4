"""What the services refuse, as problem details."""

import uuid

from orders.intake.fields import FieldCode, FieldError
from orders.intake.problem import Problem, ProblemType
from orders.intake.sizing import SizingError
from orders.services.quotas import QuotaExceeded
from orders.services.requests import Refusal, RequestRefused


def over_quota(error: QuotaExceeded) -> Problem:
    kind = ProblemType.DAILY_LIMIT if error.per == "day" else ProblemType.RATE_LIMIT
    detail = f"{error.limit} entries a {error.per} are allowed; exits still go."
    return Problem(kind, detail, retry_after_seconds=error.retry_after_seconds)


def nothing_to_size(error: SizingError, kind: ProblemType) -> Problem:
    fields = [FieldError("quantity", FieldCode.OUT_OF_RANGE, error.message)]
    return Problem(kind, error.message, errors=fields, extra={"reason": error.code})


def key_conflict(order_id: uuid.UUID | None) -> Problem:
    detail = "The Idempotency-Key was used before, with another request."
    return Problem(ProblemType.IDEMPOTENCY_CONFLICT, detail, extra={"order_id": str(order_id)})


_REFUSED = {
    Refusal.ORDER_ENDED: ProblemType.ORDER_ENDED,
    Refusal.CANCEL_OPEN: ProblemType.REQUEST_OPEN,
    Refusal.REPLACE_OPEN: ProblemType.REQUEST_OPEN,
    Refusal.MARKET_ORDER: ProblemType.NOT_REPLACEABLE,
    Refusal.BROKER_CANNOT_REPLACE: ProblemType.NOT_REPLACEABLE,
}


def request_refused(refused: RequestRefused) -> Problem:
    extra = {"reason": refused.code, "ord_status": refused.ord_status}
    return Problem(_REFUSED[refused.code], refused.message, extra=extra)
