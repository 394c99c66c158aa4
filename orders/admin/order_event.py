"""Order events in the admin."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ExactSearchAdmin
from orders.models import OrderEvent


@admin.register(OrderEvent)
class OrderEventAdmin(ExactSearchAdmin):
    """What happened to every order, for ever."""

    list_display = ("at", "user", "order_id", "kind", "ord_status", "source", "worker", "pid", "epoch")
    list_filter = ("source", "ord_status")
    list_select_related = ("user",)
    ordering = ("-id",)
    uuid_fields = ("order",)
    search_help_text = "An order's id, or a user name: whole."
