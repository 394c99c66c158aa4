"""The list of the trader's orders."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders.forms.order_filters import GROUP_LABELS, OrderFilterForm
from orders.listing import StatusGroup, order_page
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
        before=_cursor(request, "before"),
        after=_cursor(request, "after"),
        size=PAGE_SIZE,
    )
    now = timezone.now()
    context = {
        "form": form,
        "group": filters.group,
        "rows": [(order, words_for(order, now)) for order in found.orders],
        "first_page": not ({"before", "after"} & request.GET.keys()),
        "newer_url": _url(request, after=found.newer) if found.newer else "",
        "older_url": _url(request, before=found.older) if found.older else "",
    }
    part = live_part(request, "orders/partials/_order_rows.html", context)
    if unchanged(request, part["version"]):
        return HttpResponse(status=204)
    context |= part | {
        "refresh_url": request.get_full_path() if not is_refresh(request) else _without_seen(request),
        "refresh_seconds": 0 if all(order.ended for order in found.orders) else REFRESH_SECONDS,
    }
    if is_refresh(request):
        return render(request, "orders/partials/_live.html", context)
    context["groups"] = [
        (label, _url(request, status=group), group is filters.group) for group, label in GROUP_LABELS.items()
    ]
    context["clear_url"] = _clear_url(filters.group)
    return render(request, "orders/order_list.html", context)


def _cursor(request: HttpRequest, name: str) -> uuid.UUID | None:
    text = request.GET.get(name)
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404(f"{name} is not an order's id") from None


def _url(request: HttpRequest, **changes: object) -> str:
    """Return the list's address with ``changes``, from the first page unless they say otherwise."""
    query = request.GET.copy()
    for name in ("before", "after", "seen"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = str(value)
    if query.get("status") == StatusGroup.ALL:
        del query["status"]
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return f"{reverse('orders:order-list')}?{query.urlencode()}".rstrip("?")


def _without_seen(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("seen", None)
    return f"{request.path}?{query.urlencode()}".rstrip("?")


def _clear_url(group: StatusGroup) -> str:
    url = reverse("orders:order-list")
    return url if group is StatusGroup.ALL else f"{url}?status={group}"
