"""Send a cancel or a replace, once: transaction 1, the broker call, transaction 2.

| what the broker call does | what it means | what becomes of the request |
|---|---|---|
| returns | the broker has taken it; that is no confirmation | ``PENDING``, until the stream or a check tells |
| ``OrderRejected`` | proven refusal | ``REFUSED``; behind another open request, tried again |
| ``NotSent``, ``LeaseLost`` | proven not sent | back to ``RECORDED``, sent again when due |
| ``OutcomeUnknown`` | nobody knows | stays ``SENT``: the order is looked at before it is sent again |

Sending one a second time is harmless at every broker, since it names the one order at the broker that it is about:
a cancel of a canceled order and a replace of a replaced one are refused. Still the broker is asked first.

What is decided before is here; what an answer that is no report does to the request, in ``request_answers``.
"""

import datetime as dt
import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import NotSent, OrderRejected, OutcomeUnknown
from brokers.types import BeforeSend, CancelOrder, ExecutionReport, OrdStatus, PositionEffect, ReplaceOrder
from failpoints import failpoint
from orders.models import AttentionItem, Order, OrderRequest
from orders.services.attempts import backoff_seconds
from orders.services.attention import open_item
from orders.services.changes import Change, Origin, lock_order, state_of
from orders.services.commands import RequestSending
from orders.services.executions import Applied, apply_execution_reports
from orders.services.leases import Fence, LeaseLost, hold_lease
from orders.services.refusals import waiting_columns
from orders.services.request_answers import (
    confirm_cancel,
    leave_request_unknown,
    refuse_request,
    save_and_check_soon,
    take_back_request,
)
from orders.services.retrying import retried
from orders.services.unsent import cancel_unsent
from orders.state import CancelRequested, Phase, ReplaceRequested

Kind = OrderRequest.Kind
Status = OrderRequest.Status


def send_request(
    request_id: uuid.UUID, *, adapter: BrokerAdapter, fence: Fence, before_send: BeforeSend
) -> Applied | None:
    """Send one recorded request and apply the answer; None where it was not to be sent now.

    Raises ``LeaseLost`` where another process acts for the trader now.
    """
    failpoint("request.before")
    sending = begin_request(request_id, fence=fence)
    if not isinstance(sending, RequestSending):
        return sending
    sent_at = timezone.now()
    try:
        report = _send(sending, adapter, before_send)
    except OrderRejected as error:
        return refuse_request(sending, error, fence=fence, sent_at=sent_at)
    except NotSent as error:
        wait = max(error.retry_after_seconds, backoff_seconds(sending.attempt))
        told = waiting_columns(error, timezone.now() + dt.timedelta(seconds=wait))
        return take_back_request(
            request_id, sending.attempt, str(error), wait_seconds=wait, fence=fence, told=told
        )
    except LeaseLost as error:
        take_back_request(request_id, sending.attempt, str(error), wait_seconds=0, fence=fence)
        raise
    except OutcomeUnknown as error:
        return leave_request_unknown(sending, str(error), fence=fence, sent_at=sent_at)
    origin = Origin("response", fence, {"sent": sent_at, "acknowledged": timezone.now()})
    if report is not None:
        return apply_execution_reports([report], account_id=sending.account_id, origin=origin)
    return confirm_cancel(sending, origin)


@retried
def begin_request(request_id: uuid.UUID, *, fence: Fence) -> RequestSending | Applied | None:
    """Transaction 1: put the request into the order's state under this lease.

    Returns the command; or what was decided instead (too late, too old); or None where it must wait. The order's
    row is locked before the request's, here as everywhere. Raises ``LeaseLost``.
    """
    order_id = OrderRequest.objects.values_list("order", flat=True).get(pk=request_id)
    with transaction.atomic():
        order = lock_order(order_id)
        request = OrderRequest.objects.select_for_update().get(pk=request_id)
        hold_lease(fence)
        now = timezone.now()
        if request.status != Status.RECORDED or (request.eligible_at and request.eligible_at > now):
            return None
        if order.ended:
            return _decline(request, order, "TOO_LATE", f"The order is {order.ord_status} already.")
        if _is_too_old(request, order, now):
            return _decline(request, order, "TOO_OLD", "It was not sent before it grew too old.")
        if not _is_ready(request, order):
            return _wait(request, order, now, fence)
        sending = _mark_sent(request, order, now, fence)
        failpoint("request.before_commit")
    failpoint("request.after_commit")
    return sending


@retried
def put_off_request(request_id: uuid.UUID, why: str, *, seconds: float, fence: Fence) -> None:
    """Put off a request that cannot be sent because its account cannot be opened, and tell the operators."""
    now = timezone.now()
    request = OrderRequest.objects.get(pk=request_id)
    with transaction.atomic():
        order = lock_order(request.order_id)
        rows = OrderRequest.objects.filter(pk=request_id, status=Status.RECORDED)
        if not rows.update(eligible_at=now + dt.timedelta(seconds=seconds)):
            return
        change = Change(order, Origin("worker", fence))
        change.note("Postponed", at=now, data={"request": request.cl_ord_id, "why": why[:200]})
        change.save(keep_following=order.next_check_at is not None)
        open_item(AttentionItem.Kind.CREDENTIALS_REFUSED, order=order, detail=why)
    failpoint("request.put_off.after_commit")


# --- inside ---


def _send(sending: RequestSending, adapter: BrokerAdapter, before_send: BeforeSend) -> ExecutionReport | None:
    command = sending.command
    if isinstance(command, CancelOrder):
        try:
            adapter.cancel_order(command, before_send=before_send)
        finally:
            failpoint("cancel.after")
        return None
    try:
        return adapter.replace_order(command, before_send=before_send)
    finally:
        failpoint("replace.after")


def _decline(request: OrderRequest, order: Order, reason: str, text: str) -> Applied:
    """Answer a request that is not sent any more: the order has ended, or the request is too old."""
    now = timezone.now()
    request.status = Status.MOOT if reason == "TOO_LATE" else Status.DENIED
    request.answered_at, request.reason, request.text = now, reason, text
    request.save(update_fields=["status", "answered_at", "reason", "text"])
    change = Change(order, Origin("worker"))
    change.note("RequestDeclined", at=now, data={"request": request.cl_ord_id, "reason": reason})
    change.save(keep_following=order.next_check_at is not None)
    return Applied(order, False, False, (request.id,))


def _is_too_old(request: OrderRequest, order: Order, now: dt.datetime) -> bool:
    """A replace of an entry that waited too long is not what the trader wants any more; a cancel always is."""
    if request.kind == Kind.CANCEL or order.position_effect == PositionEffect.CLOSE:
        return False
    return now - request.received_at > dt.timedelta(seconds=settings.ENTRY_MAX_AGE_SECONDS)


def _is_ready(request: OrderRequest, order: Order) -> bool:
    """Say whether the broker can take the request: it must have the order, for a replace at work and left alone."""
    state = state_of(order)
    if request.kind == Kind.CANCEL:
        return state.at_broker and bool(order.broker_order_id)
    # The stop of an OCO is held as long as its target works, and can be changed all the same.
    works = state.phase is Phase.NEW or (order.sent_with_id is not None and state.at_broker)
    return works and bool(order.broker_order_id) and not state.open_requests


def _wait(request: OrderRequest, order: Order, now: dt.datetime, fence: Fence) -> Applied | None:
    """Put a request off until the order is where it can be sent; an order that is not sent yet is not sent at all."""
    if request.kind == Kind.CANCEL and order.ord_status == OrdStatus.INITIALIZED:
        return cancel_unsent(order, request, Origin("worker", fence))
    request.checks += 1
    request.eligible_at = now + dt.timedelta(seconds=min(0.1 * 2 ** min(request.checks, 8), 10.0))
    request.save(update_fields=["checks", "eligible_at"])
    return None


def _mark_sent(request: OrderRequest, order: Order, now: dt.datetime, fence: Fence) -> RequestSending:
    command: CancelOrder | ReplaceOrder
    event: CancelRequested | ReplaceRequested
    if request.kind == Kind.CANCEL:
        command = CancelOrder(request.cl_ord_id, order.working_cl_ord_id, order.broker_order_id)
        event = CancelRequested(request.cl_ord_id)
    else:
        command = ReplaceOrder(
            request.cl_ord_id,
            order.working_cl_ord_id,
            order.broker_order_id,
            order_qty=request.order_qty,
            price=request.price,
            stop_px=request.stop_px,
        )
        event = ReplaceRequested(request.cl_ord_id, request.order_qty)
    request.attempt += 1
    request.epoch, request.checks = fence.epoch, 0
    request.submitted_at, request.eligible_at = request.submitted_at or now, None
    request.save(update_fields=["attempt", "epoch", "checks", "submitted_at", "eligible_at"])
    change = Change(order, Origin("worker", fence))
    change.apply(event, at=now)
    # Should this process die now, whoever comes next looks at the order before it sends anything.
    save_and_check_soon(change, now + dt.timedelta(seconds=settings.UNRESOLVED_SECONDS))
    return RequestSending(request.id, order.id, order.account_id, request.attempt, command)
