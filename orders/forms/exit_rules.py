"""The form of a trader's exit rules: for all of their trades, or for one strategy's."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from orders.models import ExitRules

NUMBERS = (
    "profit_target_pct",
    "stop_loss_pct",
    "trailing_pct",
    "max_hold_minutes",
    "days_to_expiry",
    "minutes_before_close",
)


class ExitRulesForm(forms.ModelForm):
    """What a trader may set; an empty field sets no rule. ``defaults`` leaves out what only a strategy has."""

    class Meta:
        model = ExitRules
        fields = ["stands_alone", *NUMBERS]

    def __init__(self, data: QueryDict | None = None, *, instance: ExitRules | None, defaults: bool) -> None:
        super().__init__(data, instance=instance, label_suffix="")
        if defaults:
            del self.fields["stands_alone"]
        for name in NUMBERS:
            self.fields[name].widget = forms.TextInput(
                attrs={"inputmode": "decimal", "autocomplete": "off", "class": "number"}
            )
