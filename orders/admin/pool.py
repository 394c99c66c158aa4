"""The pool in the admin: its target, why, what it was before, and what each fleet has now."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from orders.admin.base import ReadOnlyAdmin
from orders.models import PoolTarget
from orders.services.heartbeats import live_fleets


@admin.register(PoolTarget)
class PoolTargetAdmin(ReadOnlyAdmin):
    """Each row is one decision of the pool manager; the newest is in force."""

    change_list_template = "admin/orders/pooltarget/change_list.html"
    list_display = ("decided_at", "size", "why")
    ordering = ("-decided_at", "-id")

    @admin.display(description="decided from")
    def why(self, target: PoolTarget) -> str:
        return ", ".join(f"{name} {value}" for name, value in target.demand.items())

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        newest = PoolTarget.objects.order_by("-decided_at", "-id").first()
        now = {"fleets": live_fleets(), "newest": newest}
        return super().changelist_view(request, extra_context=(extra_context or {}) | now)
