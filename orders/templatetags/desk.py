"""How numbers and times look on the desk's pages."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders.views.exit_rule_wording import own_rules_words
from orders.views.sizing_wording import limit_words, rule_words, sizing_words
from orders.views.trade_wording import amount, signed_amount
from orders.views.wording import TYPES, humanise, plain_number, plain_price

register = template.Library()
UTC = zoneinfo.ZoneInfo("UTC")

register.filter("humanise", humanise)
register.filter("amount", amount)
register.filter("sized_by", sizing_words)
register.filter("sizing_rule", rule_words)
register.filter("sizing_limits", limit_words)
register.filter("own_rules_words", own_rules_words)


@register.filter
def quantity(number: Decimal | None) -> str:
    """Write a quantity without an exponent and without trailing zeros."""
    return "" if number is None else plain_number(number)


@register.filter
def ordered(number: Decimal) -> str:
    """Write an order's quantity; one that is still to be sized has none."""
    return plain_number(number) if number else "?"


@register.filter
def price(number: Decimal | None) -> str:
    """Write a price with two decimals at least."""
    return "" if number is None else plain_price(number)


@register.filter
def ord_type_words(ord_type: str) -> str:
    """Write an order's type as words."""
    return TYPES.get(ord_type) or humanise(ord_type)


@register.filter
def ms(value: float) -> str:
    """Write milliseconds: with a decimal below a second, and as seconds above ten."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:,.1f} ms" if abs(value) < 1000 else f"{value:,.0f} ms"


@register.filter
def percent(number: Decimal) -> str:
    """Write a percentage with its sign and two decimals."""
    return f"{signed_amount(number)} %"


@register.simple_tag
def age(at: datetime) -> SafeString:
    """Render how long ago a moment was, to the minute, with the moment itself in its title."""
    minutes = max(int((timezone.now() - at).total_seconds() // 60), 0)
    if minutes < 1:
        words = "under a minute old"
    elif minutes < 120:
        words = f"{minutes} min old"
    elif minutes < 48 * 60:
        words = f"{minutes // 60} h old"
    else:
        words = f"{minutes // (24 * 60)} days old"
    utc = at.astimezone(UTC)
    title = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', utc.isoformat(), title, words)


@register.simple_tag
def pnl(number: Decimal) -> SafeString:
    """Render a profit or loss: its sign, a colour beside that, and all of its decimals in its title."""
    tone = "gain" if number > 0 else "loss" if number < 0 else ""
    return format_html(
        '<span class="pnl {}" title="{}">{}</span>', tone, plain_number(number), signed_amount(number)
    )


@register.simple_tag
def when(at: datetime | None, style: str = "full") -> SafeString | str:
    """Render a moment in the trader's time zone, with UTC in its title.

    ``style`` is ``full`` (day and time), ``exact`` (that to the millisecond), ``clock`` (the time alone) or
    ``stacked`` (the time above the day).
    """
    if at is None:
        return ""
    local, utc = timezone.localtime(at), at.astimezone(UTC)
    shown: str | SafeString = {
        "full": f"{local:%Y-%m-%d %H:%M:%S}",
        "exact": f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}",
        "stacked": format_html(
            '<span>{}</span> <span class="soft">{}</span>', f"{local:%H:%M:%S}", f"{local:%Y-%m-%d}"
        ),
        "clock": f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}",
    }[style]
    title = f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', utc.isoformat(), title, shown)


@register.simple_tag
def zone_name() -> str:
    """Return the name of the time zone that the page tells its times in."""
    return str(timezone.get_current_timezone())
