"""Decide what an HTTP answer of Alpaca proves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import requests

from brokers.alpaca.refusals import REFUSALS
from brokers.errors import (
    BrokerError,
    BrokerUnavailable,
    CredentialsRefused,
    MarketClosed,
    OrderRejected,
    OutcomeUnknown,
    PositionModeMismatch,
    RateLimited,
)
from brokers.refusals import RefusalCode

DEFAULT_RETRY_AFTER_SECONDS = 5.0
LONGEST_RETRY_AFTER_SECONDS = 60.0  # limits are by the minute: whoever names more does not mean it
_LONGEST_MESSAGE = 300
# Proven refusals, where the body is readable too. 408 is not among them: the server gave up
# waiting for the rest of a request, of which it may have understood enough.
_REFUSING_STATUSES = frozenset({400, 403, 404, 405, 409, 410, 413, 415, 422})
# Code 40010001 has other causes (any invalid parameter), so only the message tells.
_DUPLICATE = re.compile(r"client[\s_-]?order[\s_-]?id must be unique", re.IGNORECASE)
_NOT_FOUND = re.compile(r"\bnot found\b|does not exist", re.IGNORECASE)
_BAD_KEY = re.compile(
    r"^(forbidden|unauthori[sz]ed|request is not authorized|access key verification failed)",
    re.IGNORECASE,
)


class DuplicateClOrdId(OrderRejected):
    """The broker has an order with this client order id already."""


class NotFound(BrokerError):
    """The broker proved that it has no such thing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Alpaca's error body: ``{"code": 40310000, "message": "insufficient buying power"}``."""

    code: str
    message: str


def load_json(raw: bytes | str) -> Any:
    """Read JSON with exact numbers; raises ``ValueError`` where it is none.

    Give it the bytes of an answer: its text would cost a guess at the character set.
    """
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
    except (RecursionError, InvalidOperation):
        raise ValueError("not readable as JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def problem_of(response: requests.Response) -> Problem | None:
    """Read the error body; None where it is not one of Alpaca's."""
    try:
        body = load_json(response.content)
    except ValueError:
        return None
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return None
    return Problem(code=str(body.get("code", "")), message=body["message"][:_LONGEST_MESSAGE])


def retry_after_seconds(response: requests.Response) -> float:
    """Read Retry-After (seconds or an HTTP date) or X-RateLimit-Reset (epoch seconds); 60 s at most."""
    return min(LONGEST_RETRY_AFTER_SECONDS, max(0.0, _named_pause_seconds(response)))


def _named_pause_seconds(response: requests.Response) -> float:
    header = response.headers.get("Retry-After", "").strip()
    now = datetime.now(UTC)
    if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", header):
        return float(header)
    if header:
        try:
            return (parsedate_to_datetime(header) - now).total_seconds()
        except (ValueError, TypeError):
            return DEFAULT_RETRY_AFTER_SECONDS
    reset = response.headers.get("X-RateLimit-Reset", "").strip()
    if re.fullmatch(r"\d{9,11}", reset):
        return float(reset) - now.timestamp()
    return DEFAULT_RETRY_AFTER_SECONDS


def failure_of(response: requests.Response, *, is_command: bool) -> BrokerError:
    """Turn an answer that is not 2xx into the error that carries its decision.

    Source: Alpaca's API reference, order endpoints (403 buying power or shares, 422 input,
    404 no such order, 429 pace) and https://alpaca.markets/learn/
    how-to-fix-common-trading-api-errors-at-alpaca.
    """
    problem = problem_of(response)
    status = response.status_code
    if status == 429:
        pause = retry_after_seconds(response)
        return RateLimited("the broker asks for a slower pace", retry_after_seconds=pause)
    if status == 401 or (status == 403 and _is_about_the_key(problem, is_command=is_command)):
        return CredentialsRefused(f"HTTP {status}: {problem.message if problem else 'no reason given'}")
    if is_command:
        return _command_failure(status, problem)
    return _read_failure(status, problem)


def _is_about_the_key(problem: Problem | None, *, is_command: bool) -> bool:
    if not is_command:
        return True
    return problem is not None and _BAD_KEY.match(problem.message) is not None


def _command_failure(status: int, problem: Problem | None) -> BrokerError:
    if status not in _REFUSING_STATUSES or problem is None:
        return OutcomeUnknown(f"HTTP {status}" + ("" if problem else " with an unreadable body"))
    if status == 422 and _DUPLICATE.search(problem.message):
        return DuplicateClOrdId(problem.message, broker_code=problem.code)
    code = REFUSALS.code_of(problem.message, problem.code)
    if code is RefusalCode.MARKET_CLOSED:
        return MarketClosed(problem.message, next_open=None)
    if code is RefusalCode.POSITION_MODE:
        return PositionModeMismatch(problem.message, broker_code=problem.code)
    return OrderRejected(problem.message, code=code, broker_code=problem.code)


def _read_failure(status: int, problem: Problem | None) -> BrokerError:
    # A 404 of a wrong base URL or of a proxy is no proof: the body must be the broker's.
    if status == 404 and problem is not None and _NOT_FOUND.search(problem.message):
        return NotFound(problem.message)
    if status >= 500:
        return BrokerUnavailable(f"HTTP {status}")
    return OutcomeUnknown(f"HTTP {status}: {problem.message if problem else 'unreadable body'}")
