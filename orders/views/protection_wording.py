"""What an entry is to be protected by, in words."""

from __future__ import annotations

from orders.intake.protective import ProtectiveExit
from orders.models import Order
from orders.protection import protection_from_dict
from orders.rendering import decimal_text

_NAMES = {"stop_loss": "Stop loss", "take_profit": "Profit target", "trailing": "Trailing stop"}


def protection_words(order: Order) -> list[tuple[str, str]]:
    """Return each protective exit that was asked for with an entry: its name, and where it is placed."""
    if not order.protection:
        return []
    protection = protection_from_dict(order.protection)
    asked = {name: getattr(protection, name) for name in _NAMES}
    return [
        (_NAMES[name], _words(exit_, trails=name == "trailing"))
        for name, exit_ in asked.items()
        if exit_ is not None
    ]


def _words(asked: ProtectiveExit, *, trails: bool) -> str:
    place = "from the best price" if trails else "from the fill"
    if asked.percent is not None:
        return f"{decimal_text(asked.percent)} % {place}"
    if asked.offset is not None:
        return f"{decimal_text(asked.offset)} {place}"
    return f"{decimal_text(asked.price)}"
