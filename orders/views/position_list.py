"""The list of the trader's positions."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from orders.figures import position_figures
from orders.forms.trade_filters import PositionFilterForm
from orders.trade_listing import open_trades_of, positions_of
from orders.views.addresses import list_url, without_seen
from orders.views.pages import is_refresh, live_part, page, signed_in, unchanged

MOST_SHOWN = 500
REFRESH_SECONDS = 5


@require_safe
@page
def position_list(request: HttpRequest) -> HttpResponse:
    """Show what the trader holds, by symbol; what is flat only where the address asks for it."""
    user = signed_in(request)
    form = PositionFilterForm(request.GET, user=user)
    filters = form.as_filters()
    positions = positions_of(user, filters, limit=MOST_SHOWN + 1)
    shown = positions[:MOST_SHOWN]
    trades = open_trades_of(shown)
    kept = {"all": "1"} if filters.with_flat else {}
    context = {
        "form": form,
        "kept": kept,
        "rows": [(position, position_figures(position), trades.get(position.pk)) for position in shown],
        "most_shown": MOST_SHOWN if len(positions) > MOST_SHOWN else 0,
        "all_url": list_url(request, all="1"),
    }
    part = live_part(request, "orders/partials/_position_rows.html", context)
    if unchanged(request, part["version"]):
        return HttpResponse(status=204)
    context |= part | {
        "refresh_url": without_seen(request),
        "refresh_seconds": REFRESH_SECONDS if trades else 0,
    }
    if is_refresh(request):
        return render(request, "orders/partials/_live.html", context)
    context["groups"] = [
        ("Open", list_url(request, all=""), not filters.with_flat),
        ("With flat ones", context["all_url"], filters.with_flat),
    ]
    context["clear_url"] = f"{request.path}?all=1" if filters.with_flat else request.path
    return render(request, "orders/position_list.html", context)
