"""Every error of the API as problem details (RFC 9457), in the same form as the webhook's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from orders.api.queries import InvalidQuery
from orders.intake.alert import UnsupportedContentType
from orders.intake.order_request import InvalidOrderRequest
from orders.intake.problem import (
    CONTENT_TYPE,
    Problem,
    ProblemError,
    ProblemType,
    invalid_fields,
    malformed,
)
from orders.intake.replace_request import InvalidRequest
from orders.intake.strict_json import MalformedBody

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5.0
DATABASE_DOWN = (OperationalError, InterfaceError)
HANDLED = (
    exceptions.APIException,
    Http404,
    PermissionDenied,
    ProblemError,
    MalformedBody,
    InvalidOrderRequest,
    InvalidRequest,
    InvalidQuery,
    UnsupportedContentType,
    *DATABASE_DOWN,
)
"""What ``problem_handler`` has an answer for; anything else is a fault of ours and stays one."""

_KINDS: Mapping[int, ProblemType] = {
    400: ProblemType.MALFORMED,
    401: ProblemType.UNAUTHORIZED,
    403: ProblemType.FORBIDDEN,
    404: ProblemType.NOT_FOUND,
    405: ProblemType.METHOD_NOT_ALLOWED,
    406: ProblemType.NOT_ACCEPTABLE,
    415: ProblemType.UNSUPPORTED_MEDIA_TYPE,
    429: ProblemType.RATE_LIMIT,
}


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer to an error that was raised in a view; None for what nobody expected."""
    problem = _problem_of(error)
    if problem is None:
        return None
    set_rollback()
    headers = problem.as_headers()
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return Response(problem.as_dict(), status=problem.status, headers=headers, content_type=CONTENT_TYPE)


def _problem_of(error: Exception) -> Problem | None:
    if isinstance(error, ProblemError):
        return error.problem
    for kind, translate in _TRANSLATIONS:
        if isinstance(error, kind):
            return translate(error)
    return None


def _of_framework(error: exceptions.APIException) -> Problem | None:
    kind = _KINDS.get(error.status_code)
    if kind is None:
        return None
    return Problem(kind, str(error.detail), retry_after_seconds=getattr(error, "wait", None))


def _of_database(error: Exception) -> Problem:
    log.warning("database not reachable", error=str(error))
    return Problem(
        ProblemType.SERVICE_UNAVAILABLE,
        "The desk's database is not reachable.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


Translate = Callable[[Any], Problem | None]
_TRANSLATIONS: list[tuple[type[Exception] | tuple[type[Exception], ...], Translate]] = [
    (exceptions.APIException, _of_framework),
    # The same answer to what is not there and to what is somebody else's.
    (Http404, lambda error: Problem(ProblemType.NOT_FOUND, "There is nothing of yours here.")),
    (PermissionDenied, lambda error: Problem(ProblemType.FORBIDDEN, "This is not allowed.")),
    (MalformedBody, malformed),
    (InvalidOrderRequest, lambda error: invalid_fields(error, ProblemType.INVALID_ORDER)),
    (InvalidRequest, lambda error: invalid_fields(error, ProblemType.INVALID_REQUEST)),
    (InvalidQuery, lambda error: invalid_fields(error, ProblemType.INVALID_QUERY)),
    (UnsupportedContentType, lambda error: Problem(ProblemType.UNSUPPORTED_MEDIA_TYPE, str(error))),
    (DATABASE_DOWN, _of_database),
]
