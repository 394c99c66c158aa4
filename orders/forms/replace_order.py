"""The form that replaces an order's terms. What it may hold is decided where the API's replaces are checked too."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from django import forms
from django.http import QueryDict

from brokers.types import OrdType
from orders.forms.numbers import number_field, plain_text
from orders.intake.fields import FieldError, InvalidFields
from orders.intake.pricing import TAKES_PRICE, TAKES_STOP
from orders.intake.replace_request import ReplaceRequest, parse_replace_request
from orders.intake.strict_json import MalformedBody
from orders.models import Order
from orders.views.wording import plain_number, plain_price


class ReplaceOrderForm(forms.Form):
    """The terms of one order that can change; ``replace_request`` holds what did once ``is_valid()`` has said yes.

    Each field carries what it was filled with, so that only what a person has changed is asked for, whatever
    the order has become since. ``form_id`` is the request's idempotency key.
    """

    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    order_qty = number_field("Quantity", "The whole, with what is filled already.", keep_initial=True)
    stop_px = number_field("Stop price", "", keep_initial=True)
    price = number_field("Limit price", "", keep_initial=True)

    def __init__(self, data: QueryDict | None = None, *, order: Order) -> None:
        initial = {
            "order_qty": plain_number(order.order_qty),
            "price": plain_price(order.price) if order.price is not None else "",
            "stop_px": plain_price(order.stop_px) if order.stop_px is not None else "",
        }
        super().__init__(data, label_suffix="", initial=initial)
        self.replace_request: ReplaceRequest | None = None
        if OrdType(order.ord_type) not in TAKES_PRICE:
            del self.fields["price"]
        if OrdType(order.ord_type) not in TAKES_STOP:
            del self.fields["stop_px"]

    @property
    def idempotency_key(self) -> str:
        """Return the key that the request of this very form is recorded under."""
        return f"form-{self.cleaned_data['form_id']}"

    def clean(self) -> dict[str, Any]:
        """Let the checks of the API's replaces read what has changed."""
        cleaned = super().clean() or self.cleaned_data
        body = {name: plain_text(cleaned[name]) for name in self._changed_terms(cleaned)}
        if not body and not self.errors:
            self.add_error(None, "Nothing has been changed.")
        elif body:
            self._read(body)
        return cleaned

    def _changed_terms(self, cleaned: dict[str, Any]) -> list[str]:
        """Return the names of the terms that were changed; an emptied field is told so."""
        changed = [name for name in self.changed_data if name != "form_id" and name in cleaned]
        for name in changed:
            if not cleaned[name]:
                self.add_error(name, f"{self.fields[name].label} is required.")
        return [name for name in changed if cleaned.get(name)]

    def _read(self, body: dict[str, str]) -> None:
        try:
            self.replace_request = parse_replace_request(json.dumps(body).encode(), "application/json")
        except InvalidFields as invalid:
            for error in invalid.errors:
                self.add_field_error(error)
        except MalformedBody:
            self.add_error(None, "A field holds characters that cannot be used.")

    def add_field_error(self, error: FieldError) -> None:
        """Show an error beside its field, as a sentence that begins with the field's label."""
        message = error.message.replace("_", " ").rstrip(".")
        if error.field not in self.fields:
            self.add_error(None, f"{error.field.capitalize()} {message}.")
        elif error.field not in self.errors:
            self.add_error(error.field, f"{self.fields[error.field].label} {message}.")

    def renew(self) -> None:
        """Give the form a new id, so that sending it again makes a request of its own."""
        data = cast(QueryDict, self.data).copy()
        data["form_id"] = str(uuid.uuid4())
        self.data = data
