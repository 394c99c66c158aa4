"""Errands in the admin: what the traders' workers have still to do."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ReadOnlyAdmin
from orders.models import Errand


@admin.register(Errand)
class ErrandAdmin(ReadOnlyAdmin):
    """What is written here and stays is put off again and again: its last line says why."""

    list_display = ("due_at", "user", "account", "kind", "symbol", "tries", "why", "written_at")
    list_filter = ("kind",)
    list_select_related = ("user", "account")
    search_fields = ("user__username", "=symbol")
    ordering = ("due_at", "id")
