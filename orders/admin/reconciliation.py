"""Comparisons with brokers in the admin: what was found and done, halts, and an operator's word on both."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.attention import ReasonForm
from orders.admin.base import ReadOnlyAdmin, ReadOnlyInline
from orders.intake.fields import BadValue, NumberLimits, to_decimal
from orders.models import AccountHalt, ReconciliationFinding, ReconciliationRun
from orders.services.attention import ReasonRequiredError
from orders.services.reconciliation.booking import book_by_operator
from orders.services.reconciliation.findings import accept_finding
from orders.services.reconciliation.halts import lift_halt

PRICE_OR_NOTHING = NumberLimits(Decimal("-1e-9"), Decimal(10_000_000), decimals=9)
FINDING_COLUMNS = (
    "kind",
    "symbol",
    "ours",
    "theirs",
    "done",
    "runs_seen",
    "found_at",
    "resolved_at",
    "resolution",
)


class PriceForm(ReasonForm):
    price = forms.CharField(
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": "Price, 0 for a split", "size": 16}),
    )


class FindingInline(ReadOnlyInline):
    model = ReconciliationFinding
    fk_name = "run"
    fields = readonly_fields = FINDING_COLUMNS


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    """Each comparison; one that did not finish was cut short, and the next has done its work."""

    list_display = (
        "started_at",
        "account",
        "user",
        "finished_at",
        "is_settled",
        "broker_cash",
        "booked_cash",
    )
    list_filter = ("is_settled",)
    list_select_related = ("account", "user")
    search_fields = ("=user__username",)
    ordering = ("-id",)
    inlines = (FindingInline,)


@admin.register(ReconciliationFinding)
class ReconciliationFindingAdmin(ReadOnlyAdmin):
    """What the books did not agree on. Accepting an open one leaves it as it is: it is not told of again."""

    list_display = ("found_at", "account", *FINDING_COLUMNS[:5], "resolution")
    list_filter = ("kind", ("resolved_at", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("=user__username", "=symbol")
    ordering = ("-id",)
    action_form = PriceForm
    actions = ("accept_with_reason", "book_at_price")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.change_reconciliationfinding")

    @admin.action(description="Accept as it is, with the reason", permissions=["resolve"])
    def accept_with_reason(self, request: HttpRequest, queryset: QuerySet[ReconciliationFinding]) -> None:
        _act(self, request, queryset, accept_finding, "Accepted")

    @admin.action(description="Book the position at the price, with the reason", permissions=["resolve"])
    def book_at_price(self, request: HttpRequest, queryset: QuerySet[ReconciliationFinding]) -> None:
        try:
            price = to_decimal(request.POST.get("price", ""), PRICE_OR_NOTHING)
        except BadValue:
            self.message_user(request, "Give the price, 0 for a split.", messages.ERROR)
            return

        def book(finding: ReconciliationFinding, operator: AbstractBaseUser, reason: str) -> bool:
            return book_by_operator(finding, operator, price, reason)

        _act(self, request, queryset, book, "Booked")


@admin.register(AccountHalt)
class AccountHaltAdmin(ReadOnlyAdmin):
    """Accounts whose entries are, or were, denied because their books differ from their broker's."""

    list_display = ("since", "account", "user", "reason", "lifted_at", "lifted_by", "lift_reason")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter),)
    list_select_related = ("account", "user", "lifted_by")
    search_fields = ("=user__username",)
    ordering = ("-id",)
    action_form = ReasonForm
    actions = ("lift_with_reason",)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.change_accounthalt")

    @admin.action(description="Lift, with the reason", permissions=["resolve"])
    def lift_with_reason(self, request: HttpRequest, queryset: QuerySet[AccountHalt]) -> None:
        _act(self, request, queryset, lift_halt, "Lifted")


def _act(
    page: admin.ModelAdmin[Any],
    request: HttpRequest,
    rows: QuerySet[Any],
    action: Callable[[Any, AbstractBaseUser, str], bool],
    word: str,
) -> None:
    reason = request.POST.get("reason", "")
    operator = cast(AbstractBaseUser, request.user)
    try:
        done = [row for row in rows if action(row, operator, reason)]
    except ReasonRequiredError as missing:
        page.message_user(request, str(missing), messages.ERROR)
        return
    for row in done:
        page.log_change(request, row, f"{word}: {reason.strip()}")
    page.message_user(request, f"{word}: {len(done)}.", messages.SUCCESS)
