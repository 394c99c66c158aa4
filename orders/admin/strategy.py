"""Strategies in the admin, without what proves an alert's sender."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import ManyToManyField
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest

from brokers.models import BrokerAccount
from orders.models import Strategy
from orders.models.strategy import SIZING_FIELDS


@admin.register(Strategy)
class StrategyAdmin(admin.ModelAdmin):
    """A strategy is made by a service, which gives it its token and secret; here it is adjusted."""

    list_display = (
        "name",
        "user",
        "webhook",
        "symbols",
        "sizing_method",
        "trade_style",
        "paused",
        "queues_for_open",
        "created_at",
    )
    list_filter = ("paused", "trade_style", "demands_protection", "sizing_method", "queues_for_open")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    ordering = ("user__username", "name")
    fields = (
        "name",
        "user",
        "webhook",
        "accounts",
        "allowed_symbols",
        *SIZING_FIELDS,
        "trade_style",
        "takes_profit",
        "demands_protection",
        "queues_for_open",
        "paused",
        "created_at",
    )
    readonly_fields = ("user", "webhook", "created_at")
    filter_horizontal = ("accounts",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="webhook")
    def webhook(self, strategy: Strategy) -> str:
        return f"{strategy.token[:6]}…"  # the whole token is the trader's to see

    @admin.display(description="symbols")
    def symbols(self, strategy: Strategy) -> str:
        return ", ".join(strategy.allowed_symbols) or "every symbol"

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        match = request.resolver_match
        if db_field.name == "accounts" and match is not None and "object_id" in match.kwargs:
            # A strategy trades its own trader's accounts, never another's.
            owners = Strategy.objects.filter(pk=match.kwargs["object_id"]).values("user")
            kwargs["queryset"] = BrokerAccount.objects.filter(user__in=owners).order_by("label")
        return super().formfield_for_manytomany(db_field, request, **kwargs)
