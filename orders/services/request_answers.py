"""Transaction 2 of a request: taken, refused, not sent, or nobody knows; and what checks of the order say later."""

import datetime as dt
import uuid
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.errors import OrderRejected
from brokers.types import ExecutionReport
from failpoints import failpoint
from orders.models import AttentionItem, Order, OrderRequest
from orders.services.attempts import ALARMING_ATTEMPTS, backoff_seconds
from orders.services.attention import open_item
from orders.services.changes import Change, Origin, lock_order, state_of
from orders.services.commands import RequestSending
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.refusals import refusal_columns
from orders.services.retrying import retried
from orders.state import CancelRejected, PendingCancel, ReplaceRejected, RequestKind, RequestNotSent

Kind = OrderRequest.Kind
Status = OrderRequest.Status


@retried
def confirm_cancel(sending: RequestSending, origin: Origin) -> Applied:
    """Record that the broker has taken a cancel: it is pending, which is no confirmation."""
    with transaction.atomic():
        order = lock_order(sending.order_id)
        change = Change(order, origin)
        change.apply(PendingCancel(sending.command.cl_ord_id), at=timezone.now())
        change.save()
        failpoint("report.before_commit")
    failpoint("report.after_commit")
    return Applied(order, change.changed, False, change.answered)


@retried
def refuse_request(
    sending: RequestSending, error: OrderRejected, *, fence: Fence, sent_at: dt.datetime
) -> Applied:
    """Record the broker's proven refusal of this attempt, and have it asked at once what the order is now.

    One that named an order which was being replaced, or has been meanwhile, was refused for that: it is tried again.
    """
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        request = OrderRequest.objects.select_for_update().get(pk=sending.request_id)
        change = Change(order, Origin("response", fence, {"sent": sent_at, "acknowledged": now}))
        if not request.is_open or request.attempt != sending.attempt:
            pass  # answered by what the stream told, or somebody else's by now
        elif request.status == Status.SENT and _named_another(sending, order):
            _take_back(change, request, error.reason, wait_seconds=1.0)
        else:
            refused = CancelRejected if request.kind == Kind.CANCEL else ReplaceRejected
            change.apply(refused(request.cl_ord_id, reason=error.reason[:200]), at=now)
            save_and_check_soon(change, now)
            told = refusal_columns(order, error.code, error.reason)
            OrderRequest.objects.filter(pk=request.pk).update(**told)
        failpoint("report.before_commit")
    failpoint("report.after_commit")
    return Applied(order, change.changed, False, change.answered)


@retried
def take_back_request(
    request_id: uuid.UUID,
    attempt: int,
    why: str,
    *,
    wait_seconds: float,
    fence: Fence,
    told: Mapping[str, str] | None = None,
) -> Applied:
    """Take back a sending that provably did not happen, or that the broker does not have; sent again when due.

    ``told`` are the request's columns that say to the trader what it waits for.
    It needs no lease, since it only states a fact; an attempt that has begun since is not touched.
    """
    order_id = OrderRequest.objects.values_list("order", flat=True).get(pk=request_id)
    with transaction.atomic():
        order = lock_order(order_id)
        request = OrderRequest.objects.select_for_update().get(pk=request_id)
        change = Change(order, Origin("worker", fence))
        if request.status == Status.SENT and request.attempt == attempt and not order.ended:
            _take_back(change, request, why, wait_seconds=wait_seconds)
            if told:
                OrderRequest.objects.filter(pk=request.pk).update(**told)
        failpoint("undo.before_commit")
    failpoint("undo.after_commit")
    return Applied(order, change.changed, False, change.answered)


@retried
def leave_request_unknown(
    sending: RequestSending, why: str, *, fence: Fence, sent_at: dt.datetime
) -> Applied:
    """Record that nobody knows whether the broker has the request; the order is looked at next."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        request = OrderRequest.objects.select_for_update().get(pk=sending.request_id)
        if request.is_open and request.attempt == sending.attempt:
            change = Change(order, Origin("response", fence, {"sent": sent_at}))
            data = {"request": request.cl_ord_id, "why": why[:200]}
            change.note("RequestOutcomeUnknown", at=now, data=data)
            save_and_check_soon(change, now)
    failpoint("unknown.after_commit")
    return Applied(order, False, False)


def settle_requests(order_id: uuid.UUID, report: ExecutionReport, *, fence: Fence) -> list[Applied]:
    """Count what a check of the order says of requests whose outcome is unknown; let them be sent again in the end.

    ``report`` is the broker's answer and is applied already: what it confirms or ends is not open any more. What
    is still only ``SENT`` after all look-ups, while the broker shows the order working, has not arrived.
    """
    applied: list[Applied] = []
    waits = settings.LOOKUP_DELAYS_SECONDS
    for request in OrderRequest.objects.filter(order=order_id, status=Status.SENT).order_by("id"):
        if request.checks < len(waits) - 1:
            _look_again(request, waits[request.checks + 1])
            continue
        wait = backoff_seconds(request.attempt) if request.attempt > 1 else 0.0
        why = f"the broker has not got it: the order is {report.ord_status}"
        applied.append(take_back_request(request.id, request.attempt, why, wait_seconds=wait, fence=fence))
        if request.attempt >= ALARMING_ATTEMPTS:
            detail = f"{request.kind} sent {request.attempt} times, and the broker has not got it"
            open_item(AttentionItem.Kind.REQUEST_UNANSWERED, order=request.order, detail=detail)
    return applied


def save_and_check_soon(change: Change, moment: dt.datetime) -> None:
    """Save, and have the order looked at by then, unless it has ended."""
    change.save()
    order = change.order
    if order.next_check_at is not None and order.next_check_at > moment:
        order.next_check_at = moment
        order.save(update_fields=["next_check_at"])


# --- inside ---


@retried
def _look_again(request: OrderRequest, seconds: float) -> None:
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(request.order_id)
        OrderRequest.objects.filter(pk=request.pk).update(checks=request.checks + 1)
        due = now + dt.timedelta(seconds=seconds)
        if order.next_check_at is not None and order.next_check_at > due:
            order.next_check_at = due
            order.save(update_fields=["next_check_at"])
    failpoint("request.check.noted")


def _take_back(change: Change, request: OrderRequest, why: str, *, wait_seconds: float) -> None:
    now = timezone.now()
    change.apply(RequestNotSent(request.cl_ord_id), at=now, detail={"why": why[:200]})
    request.eligible_at, request.checks = now + dt.timedelta(seconds=wait_seconds), 0
    request.save(update_fields=["eligible_at", "checks"])
    change.save()


def _named_another(sending: RequestSending, order: Order) -> bool:
    """Say whether the command spoke of an order at the broker that another request replaces, or has replaced."""
    if order.broker_order_id != sending.command.broker_order_id:
        return True
    return any(
        request.id != sending.command.cl_ord_id and request.kind is RequestKind.REPLACE
        for request in state_of(order).open_requests
    )
