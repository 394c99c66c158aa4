"""Dead letters in the admin: what failed again and again, why, and another try."""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from kombu.exceptions import OperationalError as BrokerDown

from orders.admin.attention import OpenFilter, ReasonForm
from orders.admin.base import ReadOnlyAdmin
from orders.models import DeadLetter, TaskFailure
from orders.services.attention import ReasonRequiredError
from orders.services.dead_letters import resolve_letter
from tasks.dead_letters import try_again


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Written by the desk; an operator has one tried again, or resolves it with a reason."""

    list_display = (
        "failed_at",
        "task",
        "args",
        "failures",
        "exception",
        "message",
        "retried_at",
        "resolution",
    )
    list_filter = (OpenFilter, "task")
    search_fields = ("task", "exception")
    ordering = ("-failed_at",)
    exclude = ("traceback",)
    readonly_fields = ("traceback_as_written",)
    action_form = ReasonForm
    actions = ("retry", "resolve_with_reason")

    @admin.display(description="traceback")
    def traceback_as_written(self, letter: DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", letter.traceback)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        # Nobody changes a letter's columns, so Django's own permission to change means this instead.
        return request.user.has_perm("orders.change_deadletter")

    @admin.action(description="Retry", permissions=["resolve"])
    def retry(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        published = 0
        for letter in queryset:
            try:
                if not try_again(letter):
                    continue
            except BrokerDown as error:
                self.message_user(request, f"Not published, Redis is away: {error}", messages.ERROR)
                break
            self.log_change(request, letter, "Tried again")
            published += 1
        self.message_user(request, f"Published again: {published}.", messages.SUCCESS)

    @admin.action(description="Resolve with the reason", permissions=["resolve"])
    def resolve_with_reason(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        reason = request.POST.get("reason", "")
        operator = cast(AbstractBaseUser, request.user)
        try:
            resolved = [letter for letter in queryset if resolve_letter(letter, operator, reason)]
        except ReasonRequiredError as missing:
            self.message_user(request, str(missing), messages.ERROR)
            return
        for letter in resolved:
            self.log_change(request, letter, f"Resolved: {reason.strip()}")
        self.message_user(request, f"Resolved: {len(resolved)}.", messages.SUCCESS)


@admin.register(TaskFailure)
class TaskFailureAdmin(ReadOnlyAdmin):
    """Tasks that failed lately, not often enough for a dead letter."""

    list_display = ("failed_at", "task", "args", "failures", "first_failed_at")
    list_filter = ("task",)
    ordering = ("-failed_at",)
