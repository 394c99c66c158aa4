"""The filters of the lists of positions and trades."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.http import QueryDict

from orders.forms.row_filters import RowFilterForm
from orders.models import Strategy
from orders.trade_listing import PositionFilters, TradeFilters, TradeGroup

TRADE_GROUP_LABELS = {
    TradeGroup.ALL: "All",
    TradeGroup.OPEN: "Open",
    TradeGroup.CLOSED: "Closed",
    TradeGroup.CANCELED: "Canceled",
}


class PositionFilterForm(RowFilterForm):
    """Which of the positions."""

    all = forms.ChoiceField(choices=[("1", "With flat ones")], required=False, widget=forms.HiddenInput)

    def as_filters(self) -> PositionFilters:
        """Return the filters; a field with an error filters nothing, and its error is shown beside it."""
        self.full_clean()
        return PositionFilters(
            with_flat=bool(self.cleaned_data.get("all")),
            symbol=self.symbol_asked_for,
            account=self.cleaned_data.get("account"),
        )


class TradeFilterForm(RowFilterForm):
    """Which of the trades."""

    narrowing = ("symbol", "account", "strategy")

    status = forms.ChoiceField(
        choices=list(TRADE_GROUP_LABELS.items()), required=False, widget=forms.HiddenInput
    )
    strategy = forms.ModelChoiceField(Strategy.objects.none(), required=False, empty_label="Every strategy")

    def __init__(self, data: QueryDict, *, user: AbstractBaseUser) -> None:
        super().__init__(data, user=user)
        strategy = cast("forms.ModelChoiceField[Strategy]", self.fields["strategy"])
        strategy.queryset = Strategy.objects.filter(user=user.pk).order_by("name")

    def as_filters(self) -> TradeFilters:
        """Return the filters; a field with an error filters nothing, and its error is shown beside it."""
        self.full_clean()
        return TradeFilters(
            group=TradeGroup(self.cleaned_data.get("status") or TradeGroup.ALL),
            symbol=self.symbol_asked_for,
            account=self.cleaned_data.get("account"),
            strategy=self.cleaned_data.get("strategy"),
        )
