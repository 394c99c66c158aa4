"""What the filters of every list have in common."""

from __future__ import annotations

from typing import ClassVar, cast

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.http import QueryDict

from brokers.models import BrokerAccount


class RowFilterForm(forms.Form):
    """Filters as they stand in the address, so that a filtered list can be bookmarked."""

    narrowing: ClassVar[tuple[str, ...]] = ("symbol", "account")

    symbol = forms.CharField(
        max_length=32, required=False, widget=forms.TextInput(attrs={"autocapitalize": "characters"})
    )
    account = forms.ModelChoiceField(
        BrokerAccount.objects.none(), required=False, empty_label="Every account"
    )

    def __init__(self, data: QueryDict, *, user: AbstractBaseUser) -> None:
        super().__init__(data, auto_id="filter-%s")
        account = cast("forms.ModelChoiceField[BrokerAccount]", self.fields["account"])
        account.queryset = BrokerAccount.objects.filter(user=user.pk).order_by("label")

    @property
    def symbol_asked_for(self) -> str:
        return (self.cleaned_data.get("symbol") or "").strip().upper()

    @property
    def narrows(self) -> bool:
        """Say whether anything but the status is filtered."""
        return any(self.cleaned_data.get(name) for name in self.narrowing)
