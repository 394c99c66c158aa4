"""Exit rules in the admin: operators see and change those of every trader."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest

from orders.models import ExitRules
from orders.services.exit_rules import set_exit_rules


class ExitRulesAdminForm(ModelForm):
    """A strategy has rules of its own trader's only."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        strategy, user = cleaned.get("strategy"), cleaned.get("user") or self.instance.user
        if strategy is not None and user is not None and strategy.user_id != user.pk:
            raise ValidationError({"strategy": "This strategy belongs to another trader."})
        return cleaned


@admin.register(ExitRules)
class ExitRulesAdmin(admin.ModelAdmin):
    """One row a trader for all of their trades, and one for each strategy that differs."""

    form = ExitRulesAdminForm
    list_display = (
        "user",
        "strategy",
        "profit_target_pct",
        "stop_loss_pct",
        "trailing_pct",
        "max_hold_minutes",
        "days_to_expiry",
        "minutes_before_close",
        "updated_at",
    )
    list_select_related = ("user", "strategy")
    search_fields = ("user__username", "strategy__name")
    ordering = ("user__username", "strategy__name")
    autocomplete_fields = ("strategy",)
    readonly_fields = ("updated_at",)

    def get_readonly_fields(self, request: HttpRequest, obj: ExitRules | None = None) -> tuple[str, ...]:
        return ("updated_at",) if obj is None else ("user", "strategy", "updated_at")

    def save_model(self, request: HttpRequest, obj: ExitRules, form: Any, change: bool) -> None:
        own = ("user", "strategy")
        values = {name: value for name, value in form.cleaned_data.items() if name not in own}
        saved = set_exit_rules(user_id=obj.user_id, strategy=obj.strategy, values=values)
        obj.pk = saved.pk
