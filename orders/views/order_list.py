"""The list of the trader's orders."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders.forms.order_filters import GROUP_LABELS, OrderFilterForm
from orders.listing import StatusGroup, order_page
from orders.views.addresses import cursor_in, has_cursor, list_url, without_seen
from orders.views.pages import is_refresh, live_part, page, signed_in, unchanged
from orders.views.wording import words_for

PAGE_SIZE = 50
REFRESH_SECONDS = 3


@require_safe
@page
def order_list(request: HttpRequest) -> HttpResponse:
    """Show the orders that the filters in the address ask for, newest first."""
    user = signed_in(request)
    form = OrderFilterForm(request.GET, user=user)
    filters = form.as_filters(timezone.get_current_timezone())
    found = order_page(
        user,
        filters,
        before=cursor_in(request, "before"),
        after=cursor_in(request, "after"),
        size=PAGE_SIZE,
    )
    now = timezone.now()
    context = {
        "form": form,
        "group": filters.group,
        "kept": {} if filters.group is StatusGroup.ALL else {"status": filters.group},
        "rows": [(order, words_for(order, now)) for order in found.rows],
        "first_page": not has_cursor(request),
        "newer_url": list_url(request, after=found.newer) if found.newer else "",
        "older_url": list_url(request, before=found.older) if found.older else "",
    }
    part = live_part(request, "orders/partials/_order_rows.html", context)
    if unchanged(request, part["version"]):
        return HttpResponse(status=204)
    context |= part | {
        "refresh_url": request.get_full_path() if not is_refresh(request) else without_seen(request),
        "refresh_seconds": 0 if all(order.ended for order in found.rows) else REFRESH_SECONDS,
    }
    if is_refresh(request):
        return render(request, "orders/partials/_live.html", context)
    context["groups"] = [
        (label, list_url(request, status=group), group is filters.group)
        for group, label in GROUP_LABELS.items()
    ]
    context["clear_url"] = _clear_url(filters.group)
    return render(request, "orders/order_list.html", context)


def _clear_url(group: StatusGroup) -> str:
    url = reverse("orders:order-list")
    return url if group is StatusGroup.ALL else f"{url}?status={group}"
