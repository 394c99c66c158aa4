"""How much a strategy trades: a form for its trader."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from orders.forms.strategy_sizing import StrategySizingForm
from orders.models import Strategy
from orders.models.strategy import SIZING_FIELDS
from orders.services.strategies import set_sizing
from orders.views.pages import page, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@page
def strategy_sizing(request: HttpRequest, strategy_id: uuid.UUID) -> HttpResponse:
    """Show the rule by which entries are sized, and keep what is sent."""
    user = signed_in(request)
    strategy = get_object_or_404(Strategy, pk=strategy_id, user=user.pk)
    name = strategy.name
    form = StrategySizingForm(request.POST or None, instance=strategy)
    if request.method == "POST" and form.is_valid():
        sizing = {field: form.cleaned_data[field] for field in SIZING_FIELDS}
        set_sizing(user=user, strategy_id=strategy_id, sizing=sizing)
        messages.success(request, f"{name} is sized by this from its next alert on.")
        return redirect("orders:strategy-list")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "orders/strategy_sizing.html", {"form": form, "name": name}, status=status)
