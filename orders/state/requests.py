"""Our cancels and replaces: sent, confirmed as pending, answered.

Answered requests stay in the state. They are how a repeated or late report about one is recognised.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from orders.state.model import OrderState, Request, RequestKind, RequestStage


def find_request(state: OrderState, request_id: str | None, kind: RequestKind) -> Request | None:
    """Find the request that a broker's report speaks of; without an id, the oldest open one."""
    for request in state.requests:
        if request_id is None:
            if request.kind is kind and request.is_open:
                return request
        elif request.id == request_id:
            return request
    return None


def set_stage(state: OrderState, request: Request, stage: RequestStage) -> OrderState:
    changed = replace(request, stage=stage)
    requests = tuple(changed if kept is request else kept for kept in state.requests)
    return replace(state, requests=requests)


def confirm_pending(state: OrderState, request_id: str | None, kind: RequestKind) -> OrderState:
    """Mark a request as pending at the broker, also one that we never made.

    Does nothing for one that was answered: the report is late. Nor for one that we do not know on an
    order that has ended, which can only be late too.
    """
    request = find_request(state, request_id, kind)
    if request is None:
        if state.end is not None:
            return state
        foreign = Request(request_id or "", kind, stage=RequestStage.PENDING)
        return replace(state, requests=(*state.requests, foreign))
    if request.stage is not RequestStage.SENT:
        return state
    return set_stage(state, request, RequestStage.PENDING)


def refuse_request(state: OrderState, request_id: str | None, kind: RequestKind) -> OrderState:
    request = find_request(state, request_id, kind)
    if request is None or not request.is_open:
        return state
    return set_stage(state, request, RequestStage.REFUSED)


def accept_replace(state: OrderState, request_id: str | None, order_qty: Decimal | None) -> OrderState:
    """Take over the quantity of a replace, once, and never below what is executed.

    A replace to less than the executed quantity amends the order to what is executed (matrix C.3.c).
    Replaces are confirmed in the order in which they were made, so one that reaches us after a later
    one's confirmation carries a quantity of the past.
    """
    request = find_request(state, request_id, RequestKind.REPLACE)
    outdated = False
    if request is not None:
        if request.stage is RequestStage.ACCEPTED:
            return state
        outdated = _overtaken(state, request)
        state = set_stage(state, request, RequestStage.ACCEPTED)
    elif request_id is not None:
        known = Request(request_id, RequestKind.REPLACE, order_qty, RequestStage.ACCEPTED)
        state = replace(state, requests=(*state.requests, known))
    if order_qty is None or outdated:
        return state
    return replace(state, order_qty=max(order_qty, state.cum_qty))


def close_requests(state: OrderState, cancel_id: str | None) -> tuple[Request, ...]:
    """Answer every open request by the order's end; the cancel that asked for it is accepted."""
    return tuple(_closed(request, cancel_id) if request.is_open else request for request in state.requests)


def unconfirm_pending(state: OrderState) -> OrderState:
    """Take back what the broker no longer shows as pending: our requests stay unanswered, others never were ours."""
    requests = tuple(
        replace(request, stage=RequestStage.SENT) if request.stage is RequestStage.PENDING else request
        for request in state.requests
        if request.id or request.stage is not RequestStage.PENDING
    )
    return replace(state, requests=requests)


def _closed(request: Request, cancel_id: str | None) -> Request:
    asked = request.kind is RequestKind.CANCEL and cancel_id in (None, request.id)
    return replace(request, stage=RequestStage.ACCEPTED if asked else RequestStage.MOOT)


def _overtaken(state: OrderState, request: Request) -> bool:
    later = state.requests[state.requests.index(request) + 1 :]
    return any(other.kind is RequestKind.REPLACE and other.stage is RequestStage.ACCEPTED for other in later)
