"""The page on which an operator resolves an order whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from brokers.types import OrdStatus, PositionEffect
from orders.models import Order
from orders.services.attention import MAX_REASON_LENGTH
from orders.services.resolution import ResolutionRefused, adopt_order, declare_never_sent
from orders.services.sending_process import Sender, StillThere, prove_gone, sender_of
from tasks.dispatch import hand_over

if TYPE_CHECKING:
    from orders.admin.order import OrderAdmin

PERMISSION = "orders.resolve_order"


class _ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})
    )


class AdoptForm(_ReasonForm):
    broker_order_id = forms.CharField(
        label="The broker's order id",
        max_length=64,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    field_order = ("broker_order_id", "reason")


class NeverSentForm(_ReasonForm):
    send_again = forms.BooleanField(required=False, label="Send this exit again")
    host_is_gone = forms.BooleanField(required=False, label="The sender's host is gone for good")


def can_be_resolved(request: HttpRequest, order: Order) -> bool:
    """Say whether this operator may resolve this order now."""
    return order.ord_status == OrdStatus.SUBMITTED and request.user.has_perm(PERMISSION)


def resolve_view(model_admin: OrderAdmin, request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Show what is known of the sending with both ways to resolve it; POST takes one of them."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    order = get_object_or_404(Order.objects.select_related("user", "account"), pk=order_id)
    adopting = request.POST.get("what") == "adopt"
    declaring = request.POST.get("what") == "never_sent"
    adopt = AdoptForm(request.POST if adopting else None, prefix="adopt")
    never_sent = NeverSentForm(request.POST if declaring else None, prefix="never")
    if order.position_effect != PositionEffect.CLOSE:
        del never_sent.fields["send_again"]
    chosen = adopt if adopting else never_sent if declaring else None
    if chosen is not None and chosen.is_valid():
        try:
            said = _resolve(order, chosen, cast(AbstractBaseUser, request.user))
        except ResolutionRefused as refusal:
            chosen.add_error(None, str(refusal))
        else:
            hand_over(order.user_id)
            messages.success(request, said)
            return redirect("admin:orders_order_change", order.pk)
    sender, missing = _sender(order)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Resolve an order whose outcome is unknown",
        "order": order,
        "unknown": order.ord_status == OrdStatus.SUBMITTED,
        "adopt": adopt,
        "never_sent": never_sent,
        "sender": sender,
        "missing": missing,
    }
    return TemplateResponse(request, "admin/orders/order/resolve.html", context)


def _resolve(order: Order, form: forms.Form, operator: AbstractBaseUser) -> str:
    if isinstance(form, AdoptForm):
        adopt_order(order.pk, operator=operator, **form.cleaned_data)
        return "The trader's worker looks at the broker's order now; the history says what came of it."
    declared = declare_never_sent(order.pk, operator=operator, **form.cleaned_data)
    return f"Declared never sent; the order is {declared.ord_status}."


def _sender(order: Order) -> tuple[Sender | None, str]:
    """Return who sent it, and what is missing to the proof that this process is gone."""
    try:
        sender = sender_of(order)
    except StillThere as missing:
        return None, str(missing)
    try:
        prove_gone(order)
    except StillThere as missing:
        return sender, str(missing)
    return sender, ""
