"""Quotes in the admin."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ReadOnlyAdmin
from orders.models import Quote
from orders.views.wording import plain_number


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    """The latest quotes, as the traders' workers have fetched them."""

    list_display = ("account", "symbol", "bid", "ask", "quote_time", "fetched_at", "wanted_at")
    list_select_related = ("account",)
    search_fields = ("=symbol", "account__user__username")
    ordering = ("account", "symbol")

    @admin.display(description="bid")
    def bid(self, quote: Quote) -> str:
        return "" if quote.bid_px is None else plain_number(quote.bid_px)

    @admin.display(description="ask")
    def ask(self, quote: Quote) -> str:
        return "" if quote.ask_px is None else plain_number(quote.ask_px)
