"""Executions in the admin."""

from __future__ import annotations

from django.contrib import admin

from orders.admin.base import ExactSearchAdmin
from orders.models import Execution
from orders.views.wording import plain_number


@admin.register(Execution)
class ExecutionAdmin(ExactSearchAdmin):
    """Fills are facts; here they are looked at."""

    list_display = (
        "transact_time",
        "user",
        "account_label",
        "exec_type",
        "side",
        "symbol",
        "last_qty_plain",
        "last_px",
        "exec_id",
    )
    list_filter = ("exec_type", "side")
    list_select_related = ("user", "account")
    raw_id_fields = ("order",)
    ordering = ("-id",)
    uuid_fields = ("order",)
    search_help_text = "An order's id, or a user name: whole."

    @admin.display(description="account")
    def account_label(self, execution: Execution) -> str:
        return execution.account.label

    @admin.display(description="quantity")
    def last_qty_plain(self, execution: Execution) -> str:
        return plain_number(execution.last_qty)
