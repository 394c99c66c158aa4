"""The page of a trader's exit rules: their defaults, or those of one strategy."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from orders.forms.exit_rules import ExitRulesForm
from orders.models import ExitRules, Strategy
from orders.services.exit_rules import set_exit_rules
from orders.views.pages import page, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@page
def default_exit_rules(request: HttpRequest) -> HttpResponse:
    """Show and change the rules that count wherever a strategy has none of its own."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def strategy_exit_rules(request: HttpRequest, strategy_id: uuid.UUID) -> HttpResponse:
    """Show and change what one strategy has instead of the trader's defaults."""
    return _edit(request, get_object_or_404(Strategy, pk=strategy_id, user=signed_in(request).pk))


def _edit(request: HttpRequest, strategy: Strategy | None) -> HttpResponse:
    user = signed_in(request)
    rules = ExitRules.objects.filter(user=user.pk, strategy=strategy).first()
    data = request.POST if request.method == "POST" else None
    form = ExitRulesForm(data, instance=rules, defaults=strategy is None)
    if data is not None and form.is_valid():
        set_exit_rules(user_id=user.pk, strategy=strategy, values=form.cleaned_data)
        of = strategy.name if strategy else "your trades"
        messages.success(request, f"The exit rules of {of} count from the next look on.")
        return redirect("orders:strategy-list")
    context = {"form": form, "strategy": strategy}
    return render(request, "orders/exit_rules.html", context, status=200 if not form.errors else 422)
