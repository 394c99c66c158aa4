"""The protective terms of an entry, and their JSON as its row keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from orders.intake.protective import ProtectiveExit

_WAYS = ("price", "percent", "offset")


class Protecting(Protocol):
    """What an alert and a manual order have in common."""

    @property
    def stop_loss(self) -> ProtectiveExit | None: ...
    @property
    def take_profit(self) -> ProtectiveExit | None: ...
    @property
    def trailing(self) -> ProtectiveExit | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What an entry is to be protected by; at most one of ``stop_loss`` and ``trailing``."""

    stop_loss: ProtectiveExit | None = None
    take_profit: ProtectiveExit | None = None
    trailing: ProtectiveExit | None = None

    @property
    def has_stop(self) -> bool:
        return self.stop_loss is not None or self.trailing is not None


def protection_of(asked: Protecting, *, places_targets: bool) -> Protection | None:
    """Return what is to be placed of what was asked for; None where that is nothing."""
    target = asked.take_profit if places_targets else None
    if asked.stop_loss is None and asked.trailing is None and target is None:
        return None
    return Protection(stop_loss=asked.stop_loss, take_profit=target, trailing=asked.trailing)


def protection_to_dict(protection: Protection) -> dict[str, dict[str, str]]:
    """Return JSON: the exits that are there, each with the one number that it was given as text."""
    exits = {name: getattr(protection, name) for name in ("stop_loss", "take_profit", "trailing")}
    return {name: _exit_to_dict(asked) for name, asked in exits.items() if asked is not None}


def protection_from_dict(data: Mapping[str, Any]) -> Protection:
    """Read what ``protection_to_dict`` wrote; raises ``TypeError`` for a name that it does not know."""
    return Protection(**{name: _exit_from_dict(asked) for name, asked in data.items()})


def _exit_to_dict(asked: ProtectiveExit) -> dict[str, str]:
    values = {way: getattr(asked, way) for way in _WAYS}
    return {way: f"{value:f}" for way, value in values.items() if value is not None}


def _exit_from_dict(data: Mapping[str, str]) -> ProtectiveExit:
    return ProtectiveExit(**{way: Decimal(value) for way, value in data.items()})
