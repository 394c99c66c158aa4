"""Positions in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.base import ExactSearchAdmin
from orders.figures import position_figures
from orders.models import Position
from orders.views.wording import plain_number


class SideFilter(admin.SimpleListFilter):
    title = "side"
    parameter_name = "side"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("long", "Long"), ("short", "Short"), ("flat", "Flat")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Position]) -> QuerySet[Position]:
        if self.value() == "open":
            return queryset.exclude(qty=0)
        if self.value() == "long":
            return queryset.filter(qty__gt=0)
        if self.value() == "short":
            return queryset.filter(qty__lt=0)
        if self.value() == "flat":
            return queryset.filter(qty=0)
        return queryset


@admin.register(Position)
class PositionAdmin(ExactSearchAdmin):
    """Positions follow the executions only; here they are looked at."""

    list_display = (
        "updated_at",
        "user",
        "account_label",
        "symbol",
        "qty_plain",
        "avg_px",
        "realized_plain",
        "fees_plain",
        "cash_plain",
        "mark_plain",
        "unrealized_plain",
        "quote_time",
    )
    list_filter = (SideFilter,)
    list_select_related = ("user", "account")
    ordering = ("-id",)
    uuid_fields = ("account",)
    # No index of its own: there is a row for each account and symbol at most, and not for each order.
    exact_fields = ("symbol",)
    search_help_text = "An account's id, a symbol, or a user name: whole."

    @admin.display(description="account")
    def account_label(self, position: Position) -> str:
        return position.account.label

    @admin.display(description="quantity")
    def qty_plain(self, position: Position) -> str:
        return plain_number(position.qty)

    @admin.display(description="average price")
    def avg_px(self, position: Position) -> str:
        price = position_figures(position).avg_px
        return "" if price is None else plain_number(price)

    @admin.display(description="realized P&L")
    def realized_plain(self, position: Position) -> str:
        return plain_number(position.realized_pnl)

    @admin.display(description="fees")
    def fees_plain(self, position: Position) -> str:
        return plain_number(position.fees)

    @admin.display(description="cash")
    def cash_plain(self, position: Position) -> str:
        return plain_number(position.cash)

    @admin.display(description="price")
    def mark_plain(self, position: Position) -> str:
        return "" if position.mark_px is None else plain_number(position.mark_px)

    @admin.display(description="unrealized P&L")
    def unrealized_plain(self, position: Position) -> str:
        return "" if position.unrealized_pnl is None else plain_number(position.unrealized_pnl)
