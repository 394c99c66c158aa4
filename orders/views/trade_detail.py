"""One trade: how it went in and out, what it has brought in, its orders and their fills."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders.figures import trade_figures
from orders.models import Execution, Trade
from orders.trade_listing import legs_of, protective_exits_of
from orders.views.pages import is_refresh, live_part, page, unchanged
from orders.views.trade_list import OPEN, REFRESH_SECONDS
from orders.views.trade_wording import exit_words, trade_words
from orders.views.wording import words_for


@require_safe
@page
def trade_detail(request: HttpRequest, trade_id: uuid.UUID) -> HttpResponse:
    """Show one of the trader's own trades; another's is not found."""
    trades = Trade.objects.select_related("account", "strategy")
    trade = get_object_or_404(trades, pk=trade_id, user=request.user.pk)
    legs = legs_of(trade)
    fills = Execution.objects.filter(order__in=[leg.order_id for leg in legs])
    now = timezone.now()
    context = {
        "trade": trade,
        "figures": trade_figures(trade),
        "words": trade_words(trade),
        "exit_words": exit_words(trade),
        "legs": [(leg, leg.order, words_for(leg.order, now)) for leg in legs],
        "exits": [(order, words_for(order, now)) for order in protective_exits_of(trade)],
        "fills": list(fills.order_by("transact_time", "id")),
    }
    part = live_part(request, "orders/partials/_trade.html", context)
    if unchanged(request, part["version"]):
        return HttpResponse(status=204)
    context |= part | {
        "refresh_url": request.path,
        "refresh_seconds": REFRESH_SECONDS if trade.status in OPEN else 0,
    }
    template = "orders/partials/_live.html" if is_refresh(request) else "orders/trade_detail.html"
    return render(request, template, context)
