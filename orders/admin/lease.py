"""Leases and heartbeats in the admin: who works for whom, and what is alive."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone

from orders.admin.base import ReadOnlyAdmin
from orders.models import Heartbeat, WorkerLease


@admin.register(WorkerLease)
class WorkerLeaseAdmin(ReadOnlyAdmin):
    """Which process acts for which trader."""

    list_display = (
        "user",
        "alive",
        "worker",
        "host",
        "pid",
        "epoch",
        "claimed_at",
        "heartbeat_at",
        "expires_at",
    )
    list_filter = ("host",)
    list_select_related = ("user",)
    search_fields = ("user__username", "worker")
    ordering = ("-expires_at",)

    @admin.display(boolean=True, description="alive")
    def alive(self, lease: WorkerLease) -> bool:
        return lease.expires_at > timezone.now()


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """When each part of the desk last showed that it works."""

    list_display = ("name", "part", "at", "says")
    list_filter = ("part",)
    ordering = ("-at",)

    @admin.display(description="what it says")
    def says(self, heartbeat: Heartbeat) -> str:
        return ", ".join(f"{name} {value}" for name, value in heartbeat.data.items())
