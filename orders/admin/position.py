"""Positions in the admin."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.base import ExactSearchAdmin
from orders.figures import position_figures
from orders.models import Position, Source
from orders.services.flattening import Scope, flatten
from orders.views.wording import plain_number
from tasks.dispatch import hand_over
from tasks.replies import answer_requests

log = structlog.get_logger(__name__)

PERMISSION = "orders.resolve_order"


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
    actions = ("flatten_selected",)
    search_help_text = "An account's id, a symbol, or a user name: whole."

    def has_flatten_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @admin.action(description="Cancel open orders and close the position", permissions=["flatten"])
    def flatten_selected(self, request: HttpRequest, queryset: QuerySet[Position]) -> None:
        """Flatten each selected position for its trader; their workers send the exits."""
        exits = 0
        for position in queryset.order_by("id"):
            scope = Scope(user_id=position.user_id, account_id=position.account_id, symbol=position.symbol)
            done = flatten(scope, source=Source.DESK, writer="operator")
            answer_requests(done.settled)
            hand_over(position.user_id)
            exits += len(done.exits)
            log.info("flattened by an operator", operator=request.user.pk, position=position.pk)
        self.message_user(request, f"{exits} exits are recorded; the traders' workers send them.")

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
