"""Broker accounts in the admin, without their credentials."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from brokers.models import BrokerAccount


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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
