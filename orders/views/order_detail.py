"""One order: what was asked, what has become of it, and its whole timeline."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders.models import Order
from orders.selectors import timeline_of
from orders.trade_listing import protective_exits_for, trades_of_order
from orders.views.order_requests import may_cancel, may_replace
from orders.views.pages import is_refresh, live_part, page, unchanged
from orders.views.protection_wording import protection_words
from orders.views.request_wording import request_words, terms_words
from orders.views.timeline import entries_of, stages_of
from orders.views.wording import words_for

YOUNG = timedelta(seconds=60)
REFRESH_YOUNG_SECONDS = 1
REFRESH_SECONDS = 5


@require_safe
@page
def order_detail(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Show one of the trader's own orders; another's is not found."""
    orders = Order.objects.select_related("account", "strategy", "signal", "parent").defer(
        "state", "parent__state"
    )
    order = get_object_or_404(orders, pk=order_id, user=request.user.pk)
    events = timeline_of(order)
    fills = list(order.executions.order_by("transact_time", "id"))
    requests = list(order.requests.order_by("-id"))
    now = timezone.now()
    context = {
        "order": order,
        "requests": [(asked, terms_words(asked), request_words(asked, order, now)) for asked in requests],
        "may_cancel": may_cancel(order, requests),
        "may_replace": may_replace(order, requests),
        "words": words_for(order, now),
        "asked_exits": protection_words(order),
        "exits": [(leg, words_for(leg, now)) for leg in protective_exits_for(order)],
        "stages": stages_of(order, events),
        "entries": entries_of(order, events, fills),
        "fills": fills,
        "trades": trades_of_order(order),
        "attention": list(order.attention_items.filter(resolved_at__isnull=True).order_by("id")),
        "alert": json.dumps(order.signal.body, indent=2, ensure_ascii=False) if order.signal else "",
    }
    part = live_part(request, "orders/partials/_order.html", context)
    if unchanged(request, part["version"]):
        return HttpResponse(status=204)
    context |= part | {"refresh_url": request.path, "refresh_seconds": _refresh_seconds(order, now)}
    template = "orders/partials/_live.html" if is_refresh(request) else "orders/order_detail.html"
    return render(request, template, context)


def _refresh_seconds(order: Order, now: datetime) -> int:
    if order.ended:
        return 0
    return REFRESH_YOUNG_SECONDS if now - order.received_at < YOUNG else REFRESH_SECONDS
