"""Plans, traders and their quotas in the admin."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ReadOnlyAdmin
from orders.models import OrderQuota, Plan, Trader


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin):
    list_display = ("name", "daily_order_limit", "orders_per_minute")
    search_fields = ("name",)


@admin.register(Trader)
class TraderAdmin(admin.ModelAdmin):
    list_display = (
        "user",
        "plan",
        "terms_accepted_at",
        "time_zone",
        "daily_limit",
        "minute_limit",
        "created_at",
    )
    list_filter = ("plan", ("terms_accepted_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "plan")
    search_fields = ("user__username", "user__email")
    autocomplete_fields = ("user", "plan")
    readonly_fields = ("created_at",)
    ordering = ("user__username",)

    @admin.display(description="entries a day")
    def daily_limit(self, trader: Trader) -> int:
        return trader.effective_daily_order_limit

    @admin.display(description="entries a minute")
    def minute_limit(self, trader: Trader) -> int:
        return trader.effective_orders_per_minute


@admin.register(OrderQuota)
class OrderQuotaAdmin(ReadOnlyAdmin):
    """How much of today and of this minute each trader has used."""

    list_display = ("user", "day", "day_count", "minute", "minute_count")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("-day", "user")
