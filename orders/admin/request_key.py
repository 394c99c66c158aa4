"""Further idempotency keys of cancels in the admin."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ExactSearchAdmin
from orders.models import OrderRequestKey


@admin.register(OrderRequestKey)
class OrderRequestKeyAdmin(ExactSearchAdmin):
    """Under which keys an open cancel was asked for once more; here it is looked at."""

    list_display = ("received_at", "user", "idempotency_key", "request_id")
    list_select_related = ("user",)
    raw_id_fields = ("request",)
    ordering = ("-id",)
    uuid_fields = ("request",)
    search_help_text = "A request's id, or a user name: whole."
