"""Flatten from the positions' page: a page that asks, then the positions, with what came of it."""

from __future__ import annotations

import uuid

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from brokers.models import BrokerAccount
from orders.figures import position_figures
from orders.intake.problem import ProblemError
from orders.models import Order, Position, Source
from orders.services.flattening import Scope, places_of
from orders.views.flattening import FlattenOutcome, flatten_positions
from orders.views.pages import page, signed_in
from orders.views.receipt import Budget, Receipt


@require_http_methods(["GET", "HEAD", "POST"])
async def position_flatten(request: HttpRequest) -> HttpResponse:
    """Ask whether the positions that the address names are to be closed; close them, and go back to the list."""
    user = await request.auser()
    if request.method != "POST" or not user.is_authenticated:
        return await sync_to_async(_show)(request)
    account_id, symbol = _named(request.GET)
    try:
        outcome = await flatten_positions(
            user=user,
            account_id=account_id,
            symbol=symbol,
            source=Source.DASHBOARD,
            budget=Budget(settings.ORDER_BUDGET_SECONDS, Receipt.of(request)),
        )
    except ProblemError as refused:
        messages.error(request, f"{refused.problem.title}. {refused.problem.detail}")
    else:
        _tell(request, outcome)
    return redirect("orders:position-list")


@page
def _show(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    account_id, symbol = _named(request.GET)
    places = places_of(Scope(user_id=user.pk, account_id=account_id, symbol=symbol))
    rows = {
        (position.account_id, position.symbol): position
        for position in Position.objects.filter(user=user.pk).exclude(qty=0).select_related("account")
    }
    held = [(rows[place], position_figures(rows[place])) for place in places if place in rows]
    orders = Order.objects.filter(user=user.pk, ended=False, next_check_at__isnull=False)
    open_count = sum(1 for place in orders.values_list("account", "symbol") if place in set(places))
    account = BrokerAccount.objects.filter(user=user.pk, pk=account_id).first() if account_id else None
    context = {"held": held, "open_count": open_count, "symbol": symbol, "account": account}
    return render(request, "orders/position_flatten.html", context)


def _named(query: QueryDict) -> tuple[uuid.UUID | None, str | None]:
    """Return the account and symbol of the address; a malformed account names none of anybody's."""
    text = query.get("account", "")
    try:
        account_id = uuid.UUID(text) if text else None
    except ValueError:
        account_id = uuid.UUID(int=0)
    return account_id, query.get("symbol") or None


def _tell(request: HttpRequest, outcome: FlattenOutcome) -> None:
    """Say in one sentence what has been closed, and what is still on its way."""
    if not outcome.exits:
        said = (
            f"{outcome.canceled} orders are canceled." if outcome.canceled else "There was nothing to close."
        )
        messages.info(request, said)
        return
    filled = [order for order in outcome.exits if order.ord_status == "FILLED"]
    idle = [order for order in outcome.exits if order.reason == "NOTHING_TO_CLOSE"]
    if len(filled) + len(idle) == len(outcome.exits):
        symbols = ", ".join(order.symbol for order in filled)
        messages.success(request, f"Closed: {symbols}." if filled else "There was nothing left to close.")
        return
    left = [order for order in outcome.exits if order not in filled and order not in idle]
    symbols = ", ".join(f"{order.symbol} ({order.get_ord_status_display().lower()})" for order in left)
    messages.warning(request, f"Not closed yet: {symbols}. See their orders.")
