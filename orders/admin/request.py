"""Cancels and replaces in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.base import ExactSearchAdmin
from orders.models import OrderRequest
from orders.views.request_wording import terms_words


class OpenFilter(admin.SimpleListFilter):
    title = "course"
    parameter_name = "course"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("answered", "Answered")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OrderRequest]) -> QuerySet[OrderRequest]:
        if self.value() in ("open", "answered"):
            return queryset.filter(answered_at__isnull=self.value() == "open")
        return queryset


@admin.register(OrderRequest)
class OrderRequestAdmin(ExactSearchAdmin):
    """What was asked of orders, and what has become of it; here it is looked at."""

    list_display = (
        "recorded_at",
        "user",
        "kind",
        "status",
        "symbol",
        "terms",
        "source",
        "attempt",
        "epoch",
        "submitted_at",
        "answered_at",
        "reason",
        "order_id",
    )
    list_filter = (OpenFilter, "kind", "status", "source")
    list_select_related = ("user", "order")
    ordering = ("-id",)
    uuid_fields = ("pk", "order")
    exact_fields = ("cl_ord_id",)
    search_help_text = "A request's or an order's id, a request's client order id, or a user name: whole."

    @admin.display(description="symbol")
    def symbol(self, request: OrderRequest) -> str:
        return request.order.symbol

    @admin.display(description="terms")
    def terms(self, request: OrderRequest) -> str:
        return terms_words(request)
