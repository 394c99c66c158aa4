"""What the services refuse, as problem details."""

from orders.intake.fields import FieldCode, FieldError
from orders.intake.problem import Problem, ProblemType
from orders.intake.sizing import SizingError
from orders.services.quotas import QuotaExceeded


def over_quota(error: QuotaExceeded) -> Problem:
    kind = ProblemType.DAILY_LIMIT if error.per == "day" else ProblemType.RATE_LIMIT
    detail = f"{error.limit} entries a {error.per} are allowed; exits still go."
    return Problem(kind, detail, retry_after_seconds=error.retry_after_seconds)


def nothing_to_size(error: SizingError, kind: ProblemType) -> Problem:
    fields = [FieldError("quantity", FieldCode.OUT_OF_RANGE, error.message)]
    return Problem(kind, error.message, errors=fields, extra={"reason": error.code})
