"""Cancel or replace one order from its page: a page that asks, then the order's page, which says what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from http import HTTPStatus

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from brokers.catalog import capabilities_of
from brokers.types import OrdStatus, OrdType
from orders.forms import ReplaceOrderForm
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Order, OrderRequest, Source
from orders.views.pages import page, signed_in
from orders.views.receipt import Budget, Receipt
from orders.views.request_wording import request_words
from orders.views.requesting import cancel_order, replace_order

_OF_THE_ORDER = (
    ProblemType.ORDER_ENDED,
    ProblemType.REQUEST_OPEN,
    ProblemType.NOT_REPLACEABLE,
    ProblemType.NOT_FOUND,
)
"""What no other filling in of the form would change."""


def may_cancel(order: Order, requests: Sequence[OrderRequest]) -> bool:
    """Say whether a page offers to cancel the order, given its requests."""
    return not order.ended and not _open(requests, OrderRequest.Kind.CANCEL)


def may_replace(order: Order, requests: Sequence[OrderRequest]) -> bool:
    """Say whether a page offers to replace the order's terms, given its requests."""
    if order.ord_type == OrdType.MARKET or not capabilities_of(order.account.broker).replaces:
        return False
    if order.ord_status == OrdStatus.PENDING_CANCEL or _open(requests, OrderRequest.Kind.REPLACE):
        return False
    return may_cancel(order, requests)


def _open(requests: Sequence[OrderRequest], kind: OrderRequest.Kind) -> bool:
    return any(request.is_open and request.kind == kind for request in requests)


@require_http_methods(["GET", "HEAD", "POST"])
async def order_cancel(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Ask whether the order is to be canceled; cancel it, wait for the broker, and go back to its page."""
    user = await request.auser()
    if request.method != "POST" or not user.is_authenticated:
        return await sync_to_async(_show_cancel)(request, order_id)
    await sync_to_async(_own_order)(user, order_id)
    try:
        answered = await cancel_order(
            user=user,
            order_id=order_id,
            source=Source.DASHBOARD,
            idempotency_key=None,
            budget=_budget(request),
        )
    except ProblemError as refused:
        return await sync_to_async(_send_back)(request, order_id, refused.problem)
    return await sync_to_async(_follow)(request, answered)


@require_http_methods(["GET", "HEAD", "POST"])
async def order_replace(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Show the order's terms in a form; ask the broker for what has changed, and go back to the order's page."""
    user = await request.auser()
    if request.method != "POST" or not user.is_authenticated:
        return await sync_to_async(_show_replace)(request, order_id)
    order = await sync_to_async(_own_order)(user, order_id)
    form = ReplaceOrderForm(request.POST, order=order)
    if not form.is_valid() or form.replace_request is None:
        return await sync_to_async(_show_replace)(
            request, order_id, form, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    try:
        answered = await replace_order(
            user=user,
            order_id=order_id,
            request=form.replace_request,
            source=Source.DASHBOARD,
            idempotency_key=form.idempotency_key,
            budget=_budget(request),
        )
    except ProblemError as refused:
        if refused.problem.kind in _OF_THE_ORDER:
            return await sync_to_async(_send_back)(request, order_id, refused.problem)
        _tell(form, refused.problem)
        return await sync_to_async(_show_replace)(request, order_id, form, status=refused.problem.status)
    return await sync_to_async(_follow)(request, answered)


def _budget(request: HttpRequest) -> Budget:
    return Budget(settings.ORDER_BUDGET_SECONDS, Receipt.of(request))


def _own_order(user: AbstractBaseUser, order_id: uuid.UUID) -> Order:
    orders = Order.objects.select_related("account", "strategy").defer("state")
    return get_object_or_404(orders, pk=order_id, user=user.pk)


@page
def _show_cancel(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    order = _own_order(signed_in(request), order_id)
    if not may_cancel(order, list(order.requests.all())):
        return _nothing_to_ask(request, order)
    return render(request, "orders/order_cancel.html", {"order": order})


@page
def _show_replace(
    request: HttpRequest,
    order_id: uuid.UUID,
    form: ReplaceOrderForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    order = _own_order(signed_in(request), order_id)
    if not may_replace(order, list(order.requests.all())):
        return _nothing_to_ask(request, order)
    form = form or ReplaceOrderForm(order=order)
    return render(request, "orders/order_replace.html", {"order": order, "form": form}, status=status)


def _nothing_to_ask(request: HttpRequest, order: Order) -> HttpResponse:
    messages.info(request, "The order does not take that any more; here is what it is now.")
    return redirect("orders:order-detail", order_id=order.pk)


def _send_back(request: HttpRequest, order_id: uuid.UUID, problem: Problem) -> HttpResponse:
    messages.error(request, f"{problem.title}. {problem.detail}")
    return redirect("orders:order-detail", order_id=order_id)


def _tell(form: ReplaceOrderForm, problem: Problem) -> None:
    for error in problem.errors:
        form.add_field_error(error)
    if problem.kind is ProblemType.IDEMPOTENCY_CONFLICT:
        form.renew()
        form.add_error(None, "This form has been sent before, and changed since. Send it again to go on.")
    elif not problem.errors:
        form.add_error(None, problem.detail or f"{problem.title}.")


_LEVELS = {
    "good": messages.SUCCESS,
    "bad": messages.ERROR,
    "ended": messages.WARNING,
    "unknown": messages.WARNING,
}


def _follow(request: HttpRequest, answered: OrderRequest) -> HttpResponse:
    words = request_words(answered, answered.order, timezone.now())
    messages.add_message(request, _LEVELS.get(words.tone, messages.INFO), words.sentence)
    return redirect("orders:order-detail", order_id=answered.order_id)
