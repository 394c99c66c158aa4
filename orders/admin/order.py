"""Orders in the admin."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from brokers.types import OrdStatus
from orders.admin.base import ExactSearchAdmin, ReadOnlyInline
from orders.admin.resolution import can_be_resolved, resolve_view
from orders.models import Order, OutsideId
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


class OutsideIds(ReadOnlyInline):
    """Under which ids the broker has it, where somebody else chose them."""

    model = OutsideId
    exclude = ("account",)


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
    inlines = (OutsideIds,)
    search_help_text = "An order's id, a client order id, or a user name: whole."

    def get_urls(self) -> list[URLPattern]:
        resolve = self.admin_site.admin_view(partial(resolve_view, self))
        return [path("<uuid:order_id>/resolve/", resolve, name="orders_order_resolve"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        offered = order is not None and can_be_resolved(request, order)
        context = {"can_be_resolved": offered, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description="account")
    def account_label(self, order: Order) -> str:
        return order.account.label

    @admin.display(description="quantity")
    def order_qty_plain(self, order: Order) -> str:
        return plain_number(order.order_qty)

    @admin.display(description="filled")
    def cum_qty_plain(self, order: Order) -> str:
        return plain_number(order.cum_qty)
