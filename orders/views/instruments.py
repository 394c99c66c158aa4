"""The symbols that the order form offers while one is typed."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from brokers.models import BrokerAccount
from orders.instruments import MAX_QUERY_LENGTH
from orders.instruments import instrument_options as find_options
from orders.views.pages import page, signed_in


@require_safe
@page
def instrument_options(request: HttpRequest) -> HttpResponse:
    """Answer ``?symbol=APP&account=…`` with the options of a datalist: what the account's broker has like that."""
    text = request.GET.get("symbol", "")[:MAX_QUERY_LENGTH].replace("\0", "")
    # What TradingView puts before a symbol is not the broker's.
    text = text.rpartition(":")[2]
    broker = _broker(request)
    context = {"instruments": find_options(text, broker) if broker else []}
    return render(request, "orders/partials/_instrument_options.html", context)


def _broker(request: HttpRequest) -> str | None:
    accounts = BrokerAccount.objects.filter(user=signed_in(request).pk)
    try:
        return accounts.filter(pk=request.GET.get("account", "")).values_list("broker", flat=True).first()
    except (ValidationError, ValueError):
        return None
