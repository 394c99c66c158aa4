"""The trade journal in the admin."""

from __future__ import annotations

import uuid

from django.contrib import admin
from django.db.models import Q

from orders.admin.base import ExactSearchAdmin, ReadOnlyInline
from orders.figures import trade_figures
from orders.models import Trade, TradeOrder
from orders.views.wording import plain_number


class TradeOrderInline(ReadOnlyInline):
    """The orders that a trade was made of."""

    model = TradeOrder
    raw_id_fields = ("order",)
    ordering = ("pk",)


@admin.register(Trade)
class TradeAdmin(ExactSearchAdmin):
    """Trades follow the executions only; here they are looked at."""

    list_display = (
        "ordered_at",
        "user",
        "status",
        "side",
        "symbol",
        "entry_plain",
        "exit_plain",
        "net_pnl",
        "exit_reason",
        "account_label",
        "source",
        "simulation",
    )
    list_display_links = ("ordered_at",)
    list_filter = ("status", "side", "exit_reason", "source", "simulation")
    list_select_related = ("user", "account")
    inlines = (TradeOrderInline,)
    ordering = ("-id",)
    uuid_fields = ("pk", "account")
    search_help_text = "A trade's, an order's or an account's id, or a user name: whole."

    def has_uuid(self, key: uuid.UUID) -> Q:
        # The order's trades are looked up first: an OR across a join could use no index.
        trades = TradeOrder.objects.filter(order=key).values_list("trade", flat=True)
        return super().has_uuid(key) | Q(pk__in=list(trades))

    @admin.display(description="account")
    def account_label(self, trade: Trade) -> str:
        return trade.account.label

    @admin.display(description="entry")
    def entry_plain(self, trade: Trade) -> str:
        price = trade_figures(trade).entry_px
        return "" if price is None else f"{plain_number(trade.entry_qty)} at {plain_number(price)}"

    @admin.display(description="exit")
    def exit_plain(self, trade: Trade) -> str:
        price = trade_figures(trade).exit_px
        return "" if price is None else f"{plain_number(trade.exit_qty)} at {plain_number(price)}"

    @admin.display(description="P&L after fees")
    def net_pnl(self, trade: Trade) -> str:
        return plain_number(trade_figures(trade).net_pnl)
