"""What every endpoint under ``/v2`` shares: credentials, ordered faults, error bodies."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from venue.api import fields, tickets
from venue.engine.engine import TRANSIENT
from venue.errors import VenueError, unavailable
from venue.faults import AFTER, BEFORE, Rule, Subject

if TYPE_CHECKING:
    from venue.runtime import Venue

log = logging.getLogger("venue.api")


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    venue: Venue
    request: Request
    account_id: UUID
    raw_body: bytes

    def body(self) -> dict[str, Any]:
        """Return the JSON body; raises VenueError when it is not an object."""
        return fields.json_object(self.raw_body)


Handler = Callable[[Call], Awaitable[Response]]


class DroppedConnection(Response):
    """Cuts the connection without a byte of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Abort the client's socket."""
        scope["venue.abort"]()


def json_response(content: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(content, separators=(",", ":")), status, media_type="application/json")


def error_response(error: VenueError, headers: dict[str, str] | None = None) -> Response:
    """Answer with an error body."""
    response = json_response(error.body(), error.status)
    response.headers.update(headers or {})
    return response


def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn a handler of calls into a Starlette endpoint."""

    async def serve(request: Request) -> Response:
        venue: Venue = request.app.state.venue
        try:
            key_id = request.headers.get("apca-api-key-id", "")
            secret = request.headers.get("apca-api-secret-key", "")
            account_id = await venue.credentials.authenticate(key_id, secret)
            raw_body = await request.body() if request.method in ("POST", "PATCH") else b""
            call = Call(venue, request, account_id, raw_body)
            return await (_with_faults(call, handler) if venue.faults.rules else handler(call))
        except VenueError as error:
            return error_response(error)
        except ClientDisconnect:
            # Nobody is left to read an answer, and nothing was accepted: the body never came.
            return Response(status_code=400)
        except TRANSIENT as error:
            # A commit may have gone through although its answer was lost.
            log.warning("%s %s: %s", request.method, request.url.path, error)
            venue.engine.doubt()
            return error_response(unavailable())

    return serve


async def _with_faults(call: Call, handler: Handler) -> Response:
    subject = _subject(call)
    for rule in call.venue.faults.strike(BEFORE, subject):
        stopped = await _before(rule, call)
        if stopped is not None:
            return stopped
    try:
        response = await handler(call)
    except VenueError as error:
        response = error_response(error)
    if response.status_code < 400:
        for rule in call.venue.faults.strike(AFTER, subject):
            response = await _after(rule, response)
    return response


async def _before(rule: Rule, call: Call) -> Response | None:
    if rule.kind == "delay_ms":
        await asyncio.sleep(_milliseconds(rule) / 1000)
        return None
    if rule.kind == "drop_before_accepting":
        return DroppedConnection()
    if rule.kind == "rate_limit":
        retry_after = str(rule.params.get("retry_after", 1))
        return error_response(
            VenueError(429, 42910000, "rate limit exceeded"), headers={"Retry-After": retry_after}
        )
    if rule.kind == "refuse":
        error = _ordered_error(rule, 403, 40310000, "refused by a control rule")
        if (call.request.method, call.request.url.path) == ("POST", "/v2/orders"):
            await call.venue.placing.refuse(call.account_id, tickets.as_given(call.body()), error)
        return error_response(error)
    return error_response(_ordered_error(rule, 500, 50010000, "internal server error occurred"))


async def _after(rule: Rule, response: Response) -> Response:
    if rule.kind == "delay_after_ms":
        await asyncio.sleep(_milliseconds(rule) / 1000)
        return response
    if rule.kind == "drop_response_after_accepting":
        return DroppedConnection()
    return error_response(_ordered_error(rule, 500, 50010000, "internal server error occurred"))


def _ordered_error(rule: Rule, status: int, code: int, message: str) -> VenueError:
    params = rule.params
    return VenueError(
        int(params.get("status", status)), int(params.get("code", code)), str(params.get("message", message))
    )


def _milliseconds(rule: Rule) -> float:
    return float(rule.params.get("ms", 0))


def _subject(call: Call) -> Subject:
    symbol = call.request.path_params.get("symbol", "")
    if not symbol and call.raw_body:
        try:
            symbol = call.body().get("symbol", "")
        except VenueError:
            # The handler will say so itself.
            symbol = ""
    return Subject(call.account_id, str(symbol), call.request.method, call.request.url.path)
