"""Record what a trader asks of an order: cancel it, or replace its terms. The trader's worker sends it.

| the order | cancel | replace |
|---|---|---|
| has ended | refused | refused |
| recorded, not sent | denied at once; nothing is sent | recorded, sent once the broker works the order |
| in flight, or at the broker | recorded | recorded |
| has an open cancel | answered with that one | refused |
| has an open replace | recorded | refused |
"""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from brokers.catalog import capabilities_of
from brokers.ids import cl_ord_id_of, new_id
from brokers.types import OrdStatus, OrdType
from failpoints import failpoint
from orders.intake.replace_request import ReplaceTerms
from orders.models import Order, OrderRequest, Source
from orders.services.changes import Change, Origin, write_event
from orders.services.replace_terms import check_replace_terms
from orders.services.statements import limit_statements
from orders.state import Denied

__all__ = [
    "KeyUsedElsewhere",
    "Refusal",
    "ReplaceTerms",
    "RequestRefused",
    "record_cancel",
    "record_replace",
]

CANCELED_BEFORE_SENDING = "CANCELED_BEFORE_SENDING"


class Refusal(StrEnum):
    """Why a request is not even recorded."""

    ORDER_ENDED = "ORDER_ENDED"
    CANCEL_OPEN = "CANCEL_OPEN"
    REPLACE_OPEN = "REPLACE_OPEN"
    MARKET_ORDER = "MARKET_ORDER"
    BROKER_CANNOT_REPLACE = "BROKER_CANNOT_REPLACE"


class RequestRefused(Exception):
    """The order does not take this request now; ``ord_status`` is the order's."""

    def __init__(self, code: Refusal, message: str, order: Order) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.ord_status = order.ord_status


class KeyUsedElsewhere(Exception):
    """The idempotency key belongs to another request; ``order_id`` is that one's order's."""

    def __init__(self, order_id: uuid.UUID) -> None:
        super().__init__(str(order_id))
        self.order_id = order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What came in; ``terms`` are empty for a cancel."""

    kind: OrderRequest.Kind
    user_id: int
    order_id: uuid.UUID
    terms: ReplaceTerms
    source: Source
    received_at: dt.datetime
    idempotency_key: str | None
    request_digest: str


def record_cancel(
    *,
    user_id: int,
    order_id: uuid.UUID,
    source: Source,
    received_at: dt.datetime,
    statement_timeout_ms: int,
    idempotency_key: str | None = None,
    request_digest: str = "",
) -> OrderRequest:
    """Record a cancel and return it; the one that is open where there is one. No rule ever stands in its way.

    An order that was not sent is denied in the same transaction, which answers the cancel. The same key with the
    same digest returns the first request. Raises ``Order.DoesNotExist`` for what is not this user's,
    ``RequestRefused``, ``KeyUsedElsewhere``.
    """
    asked = _Asked(
        kind=OrderRequest.Kind.CANCEL,
        user_id=user_id,
        order_id=order_id,
        terms=ReplaceTerms(),
        source=source,
        received_at=received_at,
        idempotency_key=idempotency_key,
        request_digest=request_digest,
    )
    return _record(asked, _cancel, statement_timeout_ms)


def record_replace(
    *,
    user_id: int,
    order_id: uuid.UUID,
    terms: ReplaceTerms,
    source: Source,
    received_at: dt.datetime,
    statement_timeout_ms: int,
    idempotency_key: str | None = None,
    request_digest: str = "",
) -> OrderRequest:
    """Record a replace and return it; the worker sends it once the broker works the order.

    The same key with the same digest returns the first request. Raises ``Order.DoesNotExist`` for what is not this
    user's, ``RequestRefused``, ``InvalidRequest`` for terms that do not fit the order, ``KeyUsedElsewhere``.
    """
    asked = _Asked(
        kind=OrderRequest.Kind.REPLACE,
        user_id=user_id,
        order_id=order_id,
        terms=terms,
        source=source,
        received_at=received_at,
        idempotency_key=idempotency_key,
        request_digest=request_digest,
    )
    return _record(asked, _replace, statement_timeout_ms)


def _record(
    asked: _Asked, decide: Callable[[Order, _Asked], OrderRequest], statement_timeout_ms: int
) -> OrderRequest:
    try:
        with transaction.atomic():
            limit_statements(statement_timeout_ms)
            # The order's row first: who asks at the same time, and the worker that is about to send, wait here.
            order = Order.objects.select_for_update().get(pk=asked.order_id, user=asked.user_id)
            request = _first_of_key(asked) or decide(order, asked)
            request.order = order
            failpoint("request.record.before_commit")
    except IntegrityError:
        # The key was free a moment ago: a request about another of the trader's orders has it now.
        first = _first_of_key(asked)
        if first is None:
            raise
        return first
    failpoint("request.record.after_commit")
    return request


# --- inside the transaction ---


def _first_of_key(asked: _Asked) -> OrderRequest | None:
    """Return the request that used this key; raises ``KeyUsedElsewhere`` where it asked for something else."""
    if asked.idempotency_key is None:
        return None
    rows = OrderRequest.objects.filter(user=asked.user_id, idempotency_key=asked.idempotency_key)
    first = rows.first()
    if first is not None and (first.order_id, first.kind, first.request_digest) != (
        asked.order_id,
        asked.kind,
        asked.request_digest,
    ):
        raise KeyUsedElsewhere(first.order_id)
    return first


def _cancel(order: Order, asked: _Asked) -> OrderRequest:
    _refuse_ended(order)
    standing = _open_request(order, OrderRequest.Kind.CANCEL)
    if standing is not None:
        return standing
    if order.ord_status == OrdStatus.INITIALIZED:
        return _cancel_unsent(order, asked)
    return _hand_in(order, asked)


def _replace(order: Order, asked: _Asked) -> OrderRequest:
    _refuse_ended(order)
    if order.ord_type == OrdType.MARKET:
        raise RequestRefused(
            Refusal.MARKET_ORDER, "A market order has nothing that could be replaced.", order
        )
    if not capabilities_of(order.account.broker).replaces:
        raise RequestRefused(
            Refusal.BROKER_CANNOT_REPLACE, f"{order.account.label}'s broker replaces no orders.", order
        )
    being_canceled = order.ord_status == OrdStatus.PENDING_CANCEL  # perhaps at the broker's own site
    if being_canceled or _open_request(order, OrderRequest.Kind.CANCEL):
        raise RequestRefused(Refusal.CANCEL_OPEN, "The order is being canceled.", order)
    if _open_request(order, OrderRequest.Kind.REPLACE):
        raise RequestRefused(Refusal.REPLACE_OPEN, "An earlier replace is not answered yet.", order)
    check_replace_terms(order, asked.terms)
    return _hand_in(order, asked)


def _refuse_ended(order: Order) -> None:
    if order.ended:
        raise RequestRefused(Refusal.ORDER_ENDED, f"The order has ended: it is {order.ord_status}.", order)


def _open_request(order: Order, kind: OrderRequest.Kind) -> OrderRequest | None:
    return order.requests.filter(kind=kind, status__in=OrderRequest.OPEN).first()


def _hand_in(order: Order, asked: _Asked) -> OrderRequest:
    """Write the request for the worker to send."""
    request = _new_request(order, asked)
    request.save(force_insert=True)
    # Its doorbell may be lost, so the sweep that looks for due orders has to find it soon.
    soon = request.recorded_at + dt.timedelta(seconds=settings.UNDELIVERED_SECONDS)
    order.next_check_at = min(order.next_check_at or soon, soon)
    order.save(update_fields=["next_check_at"])
    write_event(
        order,
        kind=_event_kind(request),
        at=request.recorded_at,
        origin=_origin(request),
        data=_event_data(request),
    )
    return request


def _cancel_unsent(order: Order, asked: _Asked) -> OrderRequest:
    """Deny an order that the worker has not begun to send: transaction 1 finds it denied and sends nothing."""
    request = _new_request(order, asked)
    now = request.recorded_at
    change = Change(order, _origin(request))
    change.note(_event_kind(request), at=now, data=_event_data(request))
    change.apply(Denied(CANCELED_BEFORE_SENDING), at=now)
    change.set(reason=CANCELED_BEFORE_SENDING, text="Canceled before it was sent.")
    waiting = list(order.requests.filter(status=OrderRequest.Status.RECORDED))
    for other in waiting:
        change.note("RequestDeclined", at=now, data={"request": other.cl_ord_id, "reason": "TOO_LATE"})
    # After an attempt the broker is asked a few times more, in case the proof that nothing was sent was none.
    change.save(keep_following=order.attempt > 0)
    OrderRequest.objects.filter(pk__in=[other.pk for other in waiting]).update(
        status=OrderRequest.Status.MOOT,
        answered_at=now,
        reason="TOO_LATE",
        text="The order was canceled before it was sent.",
    )
    request.status = OrderRequest.Status.ACCEPTED
    request.answered_at = now
    request.save(force_insert=True)
    return request


def _new_request(order: Order, asked: _Asked) -> OrderRequest:
    request_id = new_id()
    return OrderRequest(
        id=request_id,
        cl_ord_id=cl_ord_id_of(request_id),
        order=order,
        user_id=order.user_id,
        kind=asked.kind,
        source=asked.source,
        idempotency_key=asked.idempotency_key,
        request_digest=asked.request_digest,
        order_qty=asked.terms.order_qty,
        price=asked.terms.price,
        stop_px=asked.terms.stop_px,
        received_at=asked.received_at,
        recorded_at=timezone.now(),
    )


def _event_kind(request: OrderRequest) -> str:
    return "CancelRecorded" if request.kind == OrderRequest.Kind.CANCEL else "ReplaceRecorded"


def _event_data(request: OrderRequest) -> dict[str, Any]:
    terms = {name: getattr(request, name) for name in ("order_qty", "price", "stop_px")}
    return {"request": str(request.id), "cl_ord_id": request.cl_ord_id} | {
        name: f"{value:f}" for name, value in terms.items() if value is not None
    }


def _origin(request: OrderRequest) -> Origin:
    return Origin("web", stages={"received": request.received_at, "recorded": request.recorded_at})
