"""The trade journal: the trader's round trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from orders.figures import TradeFigures, trade_figures
from orders.forms.trade_filters import TRADE_GROUP_LABELS, TradeFilterForm
from orders.models import Trade, TradeOrder
from orders.trade_listing import TradeGroup, trade_page
from orders.views.addresses import cursor_in, has_cursor, list_url, without_seen
from orders.views.pages import is_refresh, live_part, page, signed_in, unchanged
from orders.views.trade_wording import exit_words, trade_words
from orders.views.wording import Wording

PAGE_SIZE = 50
REFRESH_SECONDS = 5
OPEN = (Trade.Status.ORDERED, Trade.Status.POSITION)


@dataclass(frozen=True, slots=True)
class TradeRow:
    trade: Trade
    figures: TradeFigures
    words: Wording
    exit_words: str
    entries: Sequence[TradeOrder]
    exits: Sequence[TradeOrder]


@require_safe
@page
def trade_list(request: HttpRequest) -> HttpResponse:
    """Show the trades that the filters in the address ask for, newest first."""
    user = signed_in(request)
    form = TradeFilterForm(request.GET, user=user)
    filters = form.as_filters()
    found = trade_page(
        user,
        filters,
        before=cursor_in(request, "before"),
        after=cursor_in(request, "after"),
        size=PAGE_SIZE,
    )
    kept = {} if filters.group is TradeGroup.ALL else {"status": filters.group}
    context = {
        "form": form,
        "group": filters.group,
        "kept": kept,
        "rows": [row_of(trade) for trade in found.rows],
        "first_page": not has_cursor(request),
        "newer_url": list_url(request, after=found.newer) if found.newer else "",
        "older_url": list_url(request, before=found.older) if found.older else "",
    }
    part = live_part(request, "orders/partials/_trade_rows.html", context)
    if unchanged(request, part["version"]):
        return HttpResponse(status=204)
    context |= part | {
        "refresh_url": without_seen(request),
        "refresh_seconds": REFRESH_SECONDS if any(trade.status in OPEN for trade in found.rows) else 0,
    }
    if is_refresh(request):
        return render(request, "orders/partials/_live.html", context)
    context["groups"] = [
        (label, list_url(request, status=group), group is filters.group)
        for group, label in TRADE_GROUP_LABELS.items()
    ]
    context["clear_url"] = f"{request.path}?status={filters.group}" if kept else request.path
    return render(request, "orders/trade_list.html", context)


def row_of(trade: Trade) -> TradeRow:
    """Return what the list shows of a trade."""
    legs = list(trade.legs.all())
    return TradeRow(
        trade=trade,
        figures=trade_figures(trade),
        words=trade_words(trade),
        exit_words=exit_words(trade),
        entries=[leg for leg in legs if leg.role == TradeOrder.Role.ENTRY],
        exits=[leg for leg in legs if leg.role == TradeOrder.Role.EXIT],
    )
