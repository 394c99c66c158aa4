"""The form of a manual order. What it may hold is decided where the API's orders are checked too."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model
from django.http import QueryDict
from django.utils import timezone

from brokers.hours.wording import closed_words
from brokers.models import BrokerAccount
from brokers.types import OrdType, PositionEffect, Side, TimeInForce
from orders.forms.numbers import exit_field, exit_value, number_field, plain_text
from orders.hours import hours_of
from orders.intake.fields import FieldError, InvalidFields
from orders.intake.order_request import OrderRequest, parse_order_request
from orders.intake.protective import EXIT_NAMES
from orders.intake.strict_json import MalformedBody

ORD_TYPES = [
    (OrdType.MARKET, "Market: now, at the going price"),
    (OrdType.LIMIT, "Limit: at this price or better"),
    (OrdType.STOP, "Stop: a market order once the price is reached"),
    (OrdType.STOP_LIMIT, "Stop limit: a limit order once the price is reached"),
]
TIMES_IN_FORCE = [
    (TimeInForce.DAY, "Day: until the session ends"),
    (TimeInForce.GTC, "GTC: until it is canceled"),
    (TimeInForce.IOC, "IOC: at once, the rest is canceled"),
    (TimeInForce.FOK, "FOK: at once and whole, or not at all"),
    (TimeInForce.OPG, "OPG: in the opening auction"),
    (TimeInForce.CLS, "CLS: in the closing auction"),
]
_NUMBERS = ("order_qty", "price", "stop_px")


class AccountChoiceField(forms.ModelChoiceField):
    """Accounts by their label, and by whether real money moves there."""

    def label_from_instance(self, obj: Model) -> str:
        account = cast(BrokerAccount, obj)
        return f"{account.label}, {'simulation' if account.simulation else 'real money'}"


class ManualOrderForm(forms.Form):
    """A manual order; ``order_request`` holds it once ``is_valid()`` has said yes.

    ``form_id`` is made when the form is first shown, and is the order's idempotency key: the same form
    sent twice places one order.
    """

    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    account = AccountChoiceField(
        BrokerAccount.objects.none(), empty_label=None, error_messages={"required": "Choose an account."}
    )
    symbol = forms.CharField(
        max_length=53,
        required=False,
        widget=forms.TextInput(
            attrs={
                "autocapitalize": "characters",
                "autocomplete": "off",
                "spellcheck": "false",
                "list": "instruments",
            }
        ),
        help_text="As the broker writes it, like AAPL or BTC/USD. A few letters of it, or of its name, find it.",
    )
    side = forms.ChoiceField(
        choices=[(Side.BUY, "Buy"), (Side.SELL, "Sell")], initial=Side.BUY, widget=forms.RadioSelect
    )
    position_effect = forms.ChoiceField(
        label="Purpose",
        choices=[(PositionEffect.OPEN, "Entry: open"), (PositionEffect.CLOSE, "Exit: close")],
        initial=PositionEffect.OPEN,
        widget=forms.RadioSelect,
    )
    order_qty = number_field("Quantity", "On an exit, empty means the whole position.")
    ord_type = forms.ChoiceField(label="Type", choices=ORD_TYPES, initial=OrdType.MARKET)
    price = number_field("Limit price", "For limit and stop limit orders.")
    stop_px = number_field("Stop price", "For stop and stop limit orders.")
    stop_loss = exit_field("Stop loss", "A price, or a percentage from the fill like 2%. Entries only.")
    take_profit = exit_field("Profit target", "A price, or a percentage from the fill like 4%.")
    trailing = exit_field("Trailing stop", "Instead of a stop loss: a distance, or a percentage like 1.5%.")
    time_in_force = forms.ChoiceField(label="Time in force", choices=TIMES_IN_FORCE, initial=TimeInForce.DAY)

    def __init__(self, data: QueryDict | None = None, *, user: AbstractBaseUser) -> None:
        super().__init__(data, label_suffix="")
        self.order_request: OrderRequest | None = None
        account = cast(AccountChoiceField, self.fields["account"])
        # Simulation comes first: what stands there unasked moves no money.
        account.queryset = BrokerAccount.objects.filter(user=user.pk).order_by("-simulation", "label")

    @property
    def closed_markets(self) -> list[str]:
        """Say which of the accounts' markets are closed now, and until when, a sentence each."""
        accounts = cast(AccountChoiceField, self.fields["account"]).queryset or ()
        now = timezone.now()
        labels: dict[str, list[str]] = {}
        for account in accounts:
            labels.setdefault(account.trades_on, []).append(account.label)
        return [
            f"{', '.join(names)}: {closed_words(hours.market, hours.next_open(now))}"
            for hours, names in ((hours_of(code), names) for code, names in labels.items())
            if hours.is_closed(now)
        ]

    @property
    def idempotency_key(self) -> str:
        """Return the key that the order of this very form is placed under."""
        return f"form-{self.cleaned_data['form_id']}"

    def clean(self) -> dict[str, Any]:
        """Let the checks of the API's orders read the fields, and put their errors where they belong."""
        cleaned = super().clean() or self.cleaned_data
        body = {name: cleaned[name] for name in _BODY_FIELDS if cleaned.get(name)}
        body |= {name: plain_text(body[name]) for name in _NUMBERS if name in body}
        body |= {name: exit_value(cleaned[name]) for name in EXIT_NAMES if cleaned.get(name)}
        if "account" in cleaned:  # in the body too, so that another account makes it another request
            body["account"] = str(cleaned["account"].pk)
        try:
            self.order_request = parse_order_request(json.dumps(body).encode(), "application/json")
        except InvalidFields as invalid:
            for error in invalid.errors:
                self.add_field_error(error)
        except MalformedBody:
            self.add_error(None, "A field holds characters that cannot be used.")
        return cleaned

    def add_field_error(self, error: FieldError) -> None:
        """Show an error beside its field, as a sentence that begins with the field's label."""
        name = _FIELD_OF.get(error.field, error.field).partition(".")[0]
        message = error.message.replace("_", " ").rstrip(".")
        if name not in self.fields:
            self.add_error(None, f"{error.field.capitalize()} {message}.")
        elif name not in self.errors:
            self.add_error(name, f"{self.fields[name].label or name.capitalize()} {message}.")

    def renew(self) -> None:
        """Give the form a new id, so that sending it again places an order of its own."""
        data = cast(QueryDict, self.data).copy()
        data["form_id"] = str(uuid.uuid4())
        self.data = data


_BODY_FIELDS = (
    "symbol",
    "side",
    "position_effect",
    "order_qty",
    "ord_type",
    "price",
    "stop_px",
    "time_in_force",
)
_FIELD_OF = {"quantity": "order_qty", "order_type": "ord_type", "stop_price": "stop_px"}
