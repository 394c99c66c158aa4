"""The attention list in the admin: what an operator should look at."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from orders.admin.base import ReadOnlyAdmin
from orders.admin.resolution import PERMISSION
from orders.models import AttentionItem
from orders.services.attention import MAX_REASON_LENGTH, ReasonRequiredError, resolve_item


class ReasonForm(ActionForm):
    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON_LENGTH,
        widget=forms.TextInput(attrs={"placeholder": "Why it is settled", "size": 28}),
    )


class OpenFilter(admin.SimpleListFilter):
    """Open items are what the list is for, so they come without asking."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("resolved", "Resolved"), ("all", "All")]

    def choices(self, changelist):  # type: ignore[no-untyped-def]
        first, *others = super().choices(changelist)
        yield {**first, "display": "Open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[AttentionItem]) -> QuerySet[AttentionItem]:
        if self.value() == "all":
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() != "resolved")


@admin.register(AttentionItem)
class AttentionItemAdmin(ReadOnlyAdmin):
    """Items are opened by the desk and resolved by an operator, with a reason."""

    list_display = ("opened_at", "kind", "user", "order_link", "detail", "resolution")
    list_filter = (OpenFilter, "kind")
    list_select_related = ("user", "order")
    search_fields = ("=user__username", "detail")
    ordering = ("-id",)
    action_form = ReasonForm
    actions = ("resolve_with_reason", "resolve_order")

    @admin.display(description="order")
    def order_link(self, item: AttentionItem) -> str:
        if item.order is None:
            return "–"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:orders_order_change", args=[item.order_id]), item.order
        )

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        # Nobody changes an item's columns, so Django's own permission to change means this instead.
        return request.user.has_perm("orders.change_attentionitem")

    def has_resolve_order_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @admin.action(
        description="Resolve its order: adopt it, or declare it never sent…", permissions=["resolve_order"]
    )
    def resolve_order(self, request: HttpRequest, queryset: QuerySet[AttentionItem]) -> HttpResponse | None:
        orders = {item.order_id for item in queryset}
        if len(orders) != 1 or None in orders:
            self.message_user(request, "Choose the items of one order.", messages.ERROR)
            return None
        return redirect("admin:orders_order_resolve", orders.pop())

    @admin.action(description="Resolve with the reason", permissions=["resolve"])
    def resolve_with_reason(self, request: HttpRequest, queryset: QuerySet[AttentionItem]) -> None:
        reason = request.POST.get("reason", "")
        operator = cast(AbstractBaseUser, request.user)
        try:
            resolved = [item for item in queryset if resolve_item(item, operator, reason)]
        except ReasonRequiredError as missing:
            self.message_user(request, str(missing), messages.ERROR)
            return
        for item in resolved:
            self.log_change(request, item, f"Resolved: {reason.strip()}")
        self.message_user(request, f"Resolved: {len(resolved)}.", messages.SUCCESS)
