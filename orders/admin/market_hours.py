"""Market hours in the admin: the calendars' sessions to look at, and an operator's word over them."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from django.contrib import admin
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from brokers.hours.markets import MARKETS
from orders.admin.base import ReadOnlyAdmin
from orders.models import MarketOverride, MarketSession
from orders.services.market_hours import delete_override, save_override


@admin.register(MarketSession)
class MarketSessionAdmin(ReadOnlyAdmin):
    """What the calendars say; read anew once a day."""

    list_display = ("market", "day", "opens_at", "closes_at", "there", "half_day", "refreshed_at")
    list_filter = ("market", "half_day")
    date_hierarchy = "day"
    ordering = ("day", "market")

    @admin.display(description="by the exchange's clock")
    def there(self, session: MarketSession) -> str:
        zone = MARKETS[session.market].zone
        opens_at: datetime = session.opens_at
        closes_at: datetime = session.closes_at
        return f"{opens_at.astimezone(zone):%H:%M} to {closes_at.astimezone(zone):%H:%M}"


@admin.register(MarketOverride)
class MarketOverrideAdmin(admin.ModelAdmin):
    """A day of which an operator knows better: it counts instead of the calendar's."""

    list_display = ("market", "day", "closed", "opens", "closes", "reason", "set_by", "set_at")
    list_filter = ("market", "closed")
    list_select_related = ("set_by",)
    date_hierarchy = "day"
    ordering = ("-day", "market")
    fields = ("market", "day", "closed", "opens", "closes", "reason", "set_by", "set_at")
    readonly_fields = ("set_by", "set_at")

    def save_model(
        self, request: HttpRequest, obj: MarketOverride, form: ModelForm[MarketOverride], change: bool
    ) -> None:
        obj.set_by = cast(AbstractUser, request.user)  # type: ignore[assignment]
        save_override(obj)

    def delete_model(self, request: HttpRequest, obj: MarketOverride) -> None:
        delete_override(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[MarketOverride]) -> None:
        for override in queryset:
            delete_override(override)
