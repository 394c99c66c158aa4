"""Problem details (RFC 9457): every error answer of the webhook and of the API."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

from orders.intake.fields import FieldError, InvalidFields
from orders.intake.strict_json import BodyTooLarge, MalformedBody

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "/problems/"


class ProblemType(Enum):
    """Every kind of problem: its code, its HTTP status, its title. The docs' table is made from it."""

    MALFORMED = ("malformed", 400, "The body is not the JSON object that is expected")
    INVALID_ALERT = ("invalid-alert", 400, "The alert has fields that cannot be used")
    INVALID_ORDER = ("invalid-order", 400, "The order has fields that cannot be used")
    INVALID_REQUEST = ("invalid-request", 400, "The cancel or replace has fields that cannot be used")
    INVALID_QUERY = ("invalid-query", 400, "The query has parameters that cannot be used")
    UNAUTHORIZED = ("unauthorized", 401, "The request could not be authenticated")
    STALE = ("stale", 401, "The alert is too old")
    FUTURE = ("future", 401, "The alert's time lies in the future")
    STRATEGY_PAUSED = ("strategy-paused", 403, "The strategy is paused")
    TERMS_NOT_ACCEPTED = ("terms-not-accepted", 403, "The terms have not been accepted")
    ACCOUNT_NOT_VERIFIED = ("account-not-verified", 403, "The broker account is not verified")
    SYMBOL_NOT_ALLOWED = ("symbol-not-allowed", 403, "The strategy may not trade this symbol")
    NO_ACCOUNT = ("no-account", 403, "There is no account to trade")
    FORBIDDEN = ("forbidden", 403, "This is not allowed")
    NOT_FOUND = ("not-found", 404, "There is nothing here")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "The method is not allowed here")
    NOT_ACCEPTABLE = ("not-acceptable", 406, "The answer cannot be given in that form")
    DUPLICATE_ALERT = ("duplicate-alert", 409, "This alert was accepted before")
    IDEMPOTENCY_CONFLICT = ("idempotency-conflict", 409, "The key was used for another request")
    ORDER_ENDED = ("order-ended", 409, "The order has ended")
    REQUEST_OPEN = ("request-open", 409, "Another request about this order is not answered yet")
    NOT_REPLACEABLE = ("not-replaceable", 409, "This order cannot be replaced")
    BODY_TOO_LARGE = ("body-too-large", 413, "The body is too long")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "The content type is not supported")
    DAILY_LIMIT = ("daily-limit", 429, "The plan's daily order limit is reached")
    RATE_LIMIT = ("rate-limit", 429, "Too many requests")
    SERVICE_UNAVAILABLE = ("service-unavailable", 503, "The desk cannot take orders just now")

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code = code
        self.status = status
        self.title = title

    @property
    def uri(self) -> str:
        return TYPE_BASE + self.code


# RFC 9110 wants WWW-Authenticate in every 401; the webhook's secret has no scheme of its own.
_AUTHENTICATE = {"WWW-Authenticate": 'Webhook realm="tradingsite"'}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error answer. ``extra`` holds further members; ``retry_after_seconds`` is rounded up."""

    kind: ProblemType
    detail: str
    errors: Sequence[FieldError] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after_seconds: float | None = None

    @property
    def status(self) -> int:
        return self.kind.status

    @property
    def type(self) -> str:
        return self.kind.uri

    @property
    def title(self) -> str:
        return self.kind.title

    def as_dict(self) -> dict[str, Any]:
        """Return the members of RFC 9457, then ``errors`` where there are any, then ``extra``."""
        members: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = [
                {"field": error.field, "code": error.code.value, "message": error.message}
                for error in self.errors
            ]
        # An extra member never takes the place of a standard one.
        return {**self.extra, **members}

    def as_headers(self) -> dict[str, str]:
        """Return the answer's headers, apart from its content type."""
        headers = dict(_AUTHENTICATE) if self.status == HTTPStatus.UNAUTHORIZED else {}
        headers.update(self.headers)
        headers["Cache-Control"] = "no-store"
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_seconds)))
        return headers


class ProblemError(Exception):
    """The request ends here, with this answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def to_response(problem: Problem) -> JsonResponse:
    """Render a problem as the HTTP answer."""
    return JsonResponse(
        problem.as_dict(),
        status=problem.status,
        content_type=CONTENT_TYPE,
        charset="utf-8",
        headers=problem.as_headers(),
    )


def unauthorized() -> Problem:
    """Return the one answer to an unknown token and to a wrong secret: neither can be probed."""
    return Problem(ProblemType.UNAUTHORIZED, "The token, the secret or the signature is not right.")


def malformed(error: MalformedBody) -> Problem:
    """Return the answer to a body that is not JSON, or too long."""
    kind = ProblemType.BODY_TOO_LARGE if isinstance(error, BodyTooLarge) else ProblemType.MALFORMED
    extra = {} if error.field is None else {"field": error.field}
    return Problem(kind, error.detail, extra=extra)


def invalid_fields(error: InvalidFields, kind: ProblemType) -> Problem:
    """Return the answer that carries every field's error."""
    count = len(error.errors)
    detail = "1 field is wrong." if count == 1 else f"{count} fields are wrong."
    return Problem(kind, detail, errors=tuple(error.errors))


def problem_table() -> str:
    """Return the registry as a Markdown table for the docs."""
    rows = [f"| {kind.status} | `{kind.uri}` | {kind.title} |" for kind in ProblemType]
    return "\n".join(["| status | type | title |", "|---|---|---|", *rows])
