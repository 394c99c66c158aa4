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
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.catalog import capabilities_of
from brokers.ids import cl_ord_id_of, new_id
from brokers.types import OrdStatus, OrdType
from failpoints import failpoint
from orders.intake.replace_request import ReplaceTerms
from orders.models import Order, OrderRequest, OrderRequestKey, Source
from orders.services.asking import Asked, KeyUsedElsewhere, hold_key, request_of_key
from orders.services.changes import Change, Origin, write_event
from orders.services.replace_terms import check_replace_terms, fit_terms
from orders.services.statements import limit_statements
from orders.state import Denied

__all__ = [
    "Asked",
    "KeyUsedElsewhere",
    "Recorded",
    "Refusal",
    "ReplaceTerms",
    "RequestRefused",
    "record_cancel",
    "record_replace",
]

CANCELED_BEFORE_SENDING = "CANCELED_BEFORE_SENDING"
NO_TERMS = ReplaceTerms()


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


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request, and what it has settled besides itself: the ids for whose answer somebody may wait."""

    request: OrderRequest
    settled: tuple[uuid.UUID, ...] = ()


def record_cancel(asked: Asked, *, statement_timeout_ms: int) -> Recorded:
    """Record a cancel and return it; the one that is open where there is one. No rule ever stands in its way.

    An order that was not sent is denied in the same transaction, which answers the cancel, the order's sender, and
    who waits for it to be replaced. The same key with the same digest returns the first request. Raises
    ``Order.DoesNotExist`` for what is not this user's, ``RequestRefused``, ``KeyUsedElsewhere``.
    """
    return _record(asked, OrderRequest.Kind.CANCEL, _cancel, statement_timeout_ms)


def record_replace(asked: Asked, terms: ReplaceTerms, *, statement_timeout_ms: int) -> OrderRequest:
    """Record a replace and return it; the worker sends it once the broker works the order.

    The same key with the same digest returns the first request. Raises ``Order.DoesNotExist`` for what is not this
    user's, ``RequestRefused``, ``InvalidRequest`` for terms that do not fit the order, ``KeyUsedElsewhere``.
    """
    decide = partial(_replace, terms=terms)
    return _record(asked, OrderRequest.Kind.REPLACE, decide, statement_timeout_ms).request


def _record(
    asked: Asked,
    kind: OrderRequest.Kind,
    decide: Callable[[Order, Asked], Recorded],
    statement_timeout_ms: int,
) -> Recorded:
    with transaction.atomic():
        limit_statements(statement_timeout_ms)
        hold_key(asked)
        # Then the order's row: who asks at the same time, and the worker that is about to send, wait here.
        order = Order.objects.select_for_update(no_key=True).get(pk=asked.order_id, user=asked.user_id)
        first = request_of_key(asked, kind)
        recorded = Recorded(first) if first else decide(order, asked)
        recorded.request.order = order
        if first is None:
            _keep_key(recorded.request, asked)
        failpoint("request.record.before_commit")
    failpoint("request.record.after_commit")
    return recorded


# --- inside the transaction ---


def _keep_key(request: OrderRequest, asked: Asked) -> None:
    """Keep the key of who is answered with a request that was there before, asked for under another key or none."""
    if asked.idempotency_key is None or asked.idempotency_key == request.idempotency_key:
        return
    OrderRequestKey.objects.create(
        request=request,
        user_id=asked.user_id,
        idempotency_key=asked.idempotency_key,
        request_digest=asked.request_digest,
        received_at=asked.received_at,
    )


def _cancel(order: Order, asked: Asked) -> Recorded:
    _refuse_ended(order)
    standing = _open_request(order, OrderRequest.Kind.CANCEL)
    if standing is not None:
        return Recorded(standing)
    request = _new_request(order, asked, OrderRequest.Kind.CANCEL)
    if order.ord_status == OrdStatus.INITIALIZED:
        return _cancel_unsent(order, request)
    return _hand_in(order, request)


def _replace(order: Order, asked: Asked, *, terms: ReplaceTerms) -> Recorded:
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
    check_replace_terms(order, terms)
    fitted = fit_terms(order, terms)
    return _hand_in(order, _new_request(order, asked, OrderRequest.Kind.REPLACE, fitted))


def _refuse_ended(order: Order) -> None:
    if order.ended:
        raise RequestRefused(Refusal.ORDER_ENDED, f"The order has ended: it is {order.ord_status}.", order)


def _open_request(order: Order, kind: OrderRequest.Kind) -> OrderRequest | None:
    return order.requests.filter(kind=kind, status__in=OrderRequest.OPEN).first()


def _hand_in(order: Order, request: OrderRequest) -> Recorded:
    """Write the request for the worker to send."""
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
    return Recorded(request)


def _cancel_unsent(order: Order, request: OrderRequest) -> Recorded:
    """Deny an order that the worker has not begun to send: transaction 1 finds it denied and sends nothing."""
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
    return Recorded(request, (order.id, *(other.id for other in waiting)))


def _new_request(
    order: Order, asked: Asked, kind: OrderRequest.Kind, terms: ReplaceTerms = NO_TERMS
) -> OrderRequest:
    request_id = new_id()
    return OrderRequest(
        id=request_id,
        cl_ord_id=cl_ord_id_of(request_id),
        order=order,
        user_id=order.user_id,
        kind=kind,
        source=asked.source,
        idempotency_key=asked.idempotency_key,
        request_digest=asked.request_digest,
        order_qty=terms.order_qty,
        price=terms.price,
        stop_px=terms.stop_px,
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
    return Origin(
        "worker" if request.source == Source.DESK else "web",
        stages={"received": request.received_at, "recorded": request.recorded_at},
    )
