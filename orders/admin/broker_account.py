"""Broker accounts in the admin, without their credentials."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from brokers.models import BrokerAccount
from orders.services.reconciliation.asking import ask_now
from tasks.dispatch import hand_over


@admin.register(BrokerAccount)
class BrokerAccountAdmin(admin.ModelAdmin):
    """An account is made by a service, which seals its credentials; here it is named and verified."""

    list_display = (
        "label",
        "user",
        "broker",
        "trades_on",
        "external_id",
        "simulation",
        "verified_at",
        "created_at",
    )
    list_filter = ("broker", "market", "simulation", ("verified_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("label", "external_id", "user__username")
    ordering = ("user__username", "label")
    fields = ("label", "user", "broker", "market", "external_id", "simulation", "verified_at", "created_at")
    readonly_fields = ("user", "broker", "external_id", "simulation", "created_at")
    actions = ("compare_now",)

    @admin.action(description="Compare with the broker now", permissions=["change"])
    def compare_now(self, request: HttpRequest, queryset: QuerySet[BrokerAccount]) -> None:
        for account in queryset:
            ask_now(account)
            hand_over(account.user_id)
        self.message_user(request, f"Being compared: {len(queryset)}.", messages.SUCCESS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
