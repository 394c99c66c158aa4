"""Signals in the admin."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ExactSearchAdmin
from orders.models import Signal


@admin.register(Signal)
class SignalAdmin(ExactSearchAdmin):
    """Every alert that was accepted, as it came, without its secret."""

    list_display = ("received_at", "user", "strategy", "operation", "symbol", "alert_time")
    list_filter = ("operation",)
    list_select_related = ("user", "strategy")
    ordering = ("-id",)
    search_help_text = "A signal's id, or a user name: whole."
