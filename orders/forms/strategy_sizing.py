"""The form of how much a strategy trades. Its rules are the database's own, told in words."""

from __future__ import annotations

from django import forms

from orders.models import Strategy
from orders.models.strategy import SIZING_FIELDS
from orders.views.wording import plain_number

LABELS = {
    "sizing_method": "An entry without a quantity trades",
    "default_quantity": "Default quantity",
    "sizing_value": "Amount or percentage",
    "exit_percent": "An exit without a quantity closes, in percent",
    "min_quantity": "Least quantity",
    "max_quantity": "Greatest quantity",
    "min_notional": "Least amount of money",
    "max_notional": "Greatest amount of money",
}


class StrategySizingForm(forms.ModelForm):
    """How much the strategy trades where its alerts do not say."""

    class Meta:
        model = Strategy
        fields = SIZING_FIELDS
        labels = LABELS

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.label_suffix = ""
        for name, field in self.fields.items():
            if isinstance(field, forms.DecimalField):
                field.widget = forms.TextInput(
                    attrs={"inputmode": "decimal", "autocomplete": "off", "class": "number"}
                )
                number = self.initial.get(name)
                self.initial[name] = "" if number is None else plain_number(number)
