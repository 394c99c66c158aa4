"""The filters of the orders list."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from django import forms

from orders.forms.row_filters import RowFilterForm
from orders.listing import OrderFilters, StatusGroup
from orders.models import Source

GROUP_LABELS = {
    StatusGroup.ALL: "All",
    StatusGroup.OPEN: "Open",
    StatusGroup.FILLED: "Filled",
    StatusGroup.ENDED: "Ended unfilled",
    StatusGroup.UNKNOWN: "Outcome unknown",
}


class _DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class OrderFilterForm(RowFilterForm):
    """Which of the orders."""

    status = forms.ChoiceField(choices=list(GROUP_LABELS.items()), required=False, widget=forms.HiddenInput)
    source = forms.ChoiceField(choices=[("", "Every source"), *Source.choices], required=False)
    since = forms.DateField(label="From", required=False, widget=_DateInput())
    until = forms.DateField(label="To", required=False, widget=_DateInput())

    narrowing = ("symbol", "account", "source", "since", "until")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", "This day is before the first one.")
        return cleaned

    def as_filters(self, zone: tzinfo) -> OrderFilters:
        """Return the filters; a field with an error filters nothing, and its error is shown beside it.

        The days are those of ``zone``, the last one whole.
        """
        self.full_clean()
        cleaned = self.cleaned_data
        return OrderFilters(
            group=StatusGroup(cleaned.get("status") or StatusGroup.ALL),
            symbol=self.symbol_asked_for,
            account=cleaned.get("account"),
            source=cleaned.get("source") or "",
            received_from=_midnight(cleaned.get("since"), zone),
            received_before=_midnight(_day_after(cleaned.get("until")), zone),
        )


def _day_after(day: date | None) -> date | None:
    # 9999-12-31 has no day after it; as an upper bound it means the same as none.
    return day + timedelta(days=1) if day is not None and day < date.max else None


def _midnight(day: date | None, zone: tzinfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, tzinfo=zone)
