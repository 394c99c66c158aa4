"""Quantities and prices in forms: as text, so that nothing is rounded before the desk's own checks read it."""

from __future__ import annotations

from django import forms


def number_field(label: str, help_text: str, *, keep_initial: bool = False) -> forms.CharField:
    """Return a field for a decimal number; ``keep_initial`` sends along what it was filled with."""
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "number"})
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=40,
        required=False,
        widget=widget,
        show_hidden_initial=keep_initial,
    )


def plain_text(value: str) -> str:
    """Write ``.5`` as ``0.5``: people leave the zero out, JSON's numbers do not."""
    return f"0{value}" if value.startswith(".") else value


def exit_field(label: str, help_text: str) -> forms.CharField:
    """Return a field for a protective exit: a number, or a percentage."""
    widget = forms.TextInput(attrs={"autocomplete": "off", "class": "number"})
    return forms.CharField(label=label, help_text=help_text, max_length=40, required=False, widget=widget)


def exit_value(text: str) -> str | dict[str, str]:
    """Write a protective exit as the API takes it: a plain number, or ``{"percent": "2"}`` for ``2%``."""
    number = plain_text(text.removesuffix("%").strip())
    return {"percent": number} if text.endswith("%") else number
