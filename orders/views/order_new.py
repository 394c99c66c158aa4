"""The form of a manual order."""

from __future__ import annotations

from http import HTTPStatus

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from orders.forms import ManualOrderForm
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.models import Source
from orders.views.pages import page, signed_in
from orders.views.placing import PlacedOrder, place_order
from orders.views.receipt import Budget, Receipt


@require_http_methods(["GET", "HEAD", "POST"])
async def order_new(request: HttpRequest) -> HttpResponse:
    """Show the form; place what it holds, wait for the outcome, and go on to the order's page."""
    if request.method != "POST":
        return await sync_to_async(_show)(request)
    user = await request.auser()
    if not user.is_authenticated:
        return await sync_to_async(_show)(request)
    form = ManualOrderForm(request.POST, user=user)
    if not await sync_to_async(form.is_valid)() or form.order_request is None:
        return await sync_to_async(_show)(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        placed = await place_order(
            user=user,
            account_id=form.cleaned_data["account"].pk,
            request=form.order_request,
            source=Source.DASHBOARD,
            idempotency_key=form.idempotency_key,
            budget=Budget(settings.ORDER_BUDGET_SECONDS, Receipt.of(request)),
        )
    except ProblemError as refused:
        _tell(form, refused.problem)
        return await sync_to_async(_show)(request, form, status=refused.problem.status)
    return await sync_to_async(_follow)(request, placed)


@page
def _show(
    request: HttpRequest, form: ManualOrderForm | None = None, status: int = HTTPStatus.OK
) -> HttpResponse:
    form = form or ManualOrderForm(user=signed_in(request))
    return render(request, "orders/order_new.html", {"form": form}, status=status)


def _tell(form: ManualOrderForm, problem: Problem) -> None:
    for error in problem.errors:
        form.add_field_error(error)
    if problem.kind is ProblemType.IDEMPOTENCY_CONFLICT:
        form.renew()
        form.add_error(None, _already_used(problem))
    elif not problem.errors:
        form.add_error(None, problem.detail or f"{problem.title}.")


def _already_used(problem: Problem) -> str:
    order_url = reverse("orders:order-detail", args=[problem.extra["order_id"]])
    return format_html(
        'This form has already placed <a href="{}">an order</a>, and has been changed since. '
        "Send it again to place another one.",
        order_url,
    )


def _follow(request: HttpRequest, placed: PlacedOrder) -> HttpResponse:
    if placed.repeated:
        messages.info(request, "This form had been sent before. Here is the order that it placed then.")
    return redirect("orders:order-detail", order_id=placed.order.pk)
