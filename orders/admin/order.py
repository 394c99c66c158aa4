"""Orders in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from brokers.types import OrdStatus
from orders.admin.base import ExactSearchAdmin
from orders.models import Order
from orders.views.wording import plain_number


class OpenFilter(admin.SimpleListFilter):
    title = "course"
    parameter_name = "course"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("sent", "Sent, no answer yet"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "open":
            return queryset.filter(ended=False)
        if self.value() == "sent":
            return queryset.filter(ord_status=OrdStatus.SUBMITTED)
        if self.value() == "ended":
            return queryset.filter(ended=True)
        return queryset


@admin.register(Order)
class OrderAdmin(ExactSearchAdmin):
    """Orders move by their events only; here they are looked at."""

    list_display = (
        "received_at",
        "user",
        "ord_status",
        "side",
        "order_qty_plain",
        "symbol",
        "ord_type",
        "cum_qty_plain",
        "avg_px",
        "account_label",
        "reason",
        "source",
        "simulation",
    )
    list_display_links = ("received_at",)
    list_filter = (OpenFilter, "ord_status", "source", "ord_type", "position_effect", "simulation")
    list_select_related = ("user", "account")
    ordering = ("-id",)
    exact_fields = ("cl_ord_id",)
    search_help_text = "An order's id, a client order id, or a user name: whole."

    @admin.display(description="account")
    def account_label(self, order: Order) -> str:
        return order.account.label

    @admin.display(description="quantity")
    def order_qty_plain(self, order: Order) -> str:
        return plain_number(order.order_qty)

    @admin.display(description="filled")
    def cum_qty_plain(self, order: Order) -> str:
        return plain_number(order.cum_qty)
