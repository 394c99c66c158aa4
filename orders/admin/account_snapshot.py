"""What accounts were worth when their brokers were asked last, in the admin: to look at."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ReadOnlyAdmin
from orders.models import AccountSnapshot


@admin.register(AccountSnapshot)
class AccountSnapshotAdmin(ReadOnlyAdmin):
    """Read by the trader's worker before an entry that is sized by equity."""

    list_display = ("account", "equity", "cash", "buying_power", "currency", "taken_at")
    list_select_related = ("account",)
    search_fields = ("account__label", "account__user__username")
    ordering = ("-taken_at",)
