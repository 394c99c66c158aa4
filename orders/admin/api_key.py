"""API keys in the admin: what a person may see of one."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from orders.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """A key is shown once, when it is made; here it is named and revoked."""

    list_display = ("prefix", "label", "user", "created_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("prefix", "label", "user__username")
    ordering = ("-created_at",)
    fields = ("prefix", "label", "user", "created_at", "revoked_at")
    readonly_fields = ("prefix", "user", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
