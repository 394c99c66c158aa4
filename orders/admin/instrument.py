"""What there is to trade, in the admin: to look at; the brokers say it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from brokers.models import Instrument
from orders.admin.base import ReadOnlyAdmin
from orders.instruments import MAX_QUERY_LENGTH, resembles


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Read by one trader's worker of each broker, once a day."""

    list_display = (
        "symbol",
        "broker",
        "name",
        "exchange",
        "lot_step",
        "tradable",
        "shortable",
        "fractionable",
        "refreshed_at",
    )
    list_filter = ("broker", "tradable", "shortable", "fractionable", "exchange")
    ordering = ("symbol", "broker")
    search_fields = ("symbol",)  # shows the box; get_search_results does the looking

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Instrument], search_term: str
    ) -> tuple[QuerySet[Instrument], bool]:
        term = search_term.replace("\0", "")[:MAX_QUERY_LENGTH]
        return (queryset.filter(resembles(term)) if term.strip() else queryset), False
