"""The brokers that the desk knows, by name, and what each can do. Nothing here reaches a broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from brokers.hours.markets import AROUND_THE_CLOCK
from brokers.types import Capabilities


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker. ``module`` holds CAPABILITIES and ``open_adapter``; no SDK is loaded with it.

    ``market`` is the code of the market that its accounts trade unless they say otherwise.
    """

    name: str
    title: str
    is_simulation: bool
    credential_fields: tuple[str, ...]
    market: str
    module: str = field(repr=False)

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter can do, known without connecting."""
        return cast(Capabilities, import_module(self.module).CAPABILITIES)


_BROKERS = {
    broker.name: broker
    for broker in (
        Broker("alpaca", "Alpaca", False, ("key_id", "secret"), "XNYS", "brokers.alpaca.factory"),
        Broker(
            "paper", "Paper exchange", True, ("key_id", "secret"), AROUND_THE_CLOCK, "brokers.paper.factory"
        ),
        Broker(
            "paper_c",
            "Paper exchange that takes an id twice",
            True,
            ("key_id", "secret"),
            AROUND_THE_CLOCK,
            "brokers.paper.class_c",
        ),
    )
}


def broker_names() -> tuple[str, ...]:
    """Return the names of all brokers, as they stand in the database."""
    return tuple(_BROKERS)


def get_broker(name: str) -> Broker:
    """Return the broker of this name; raises ``LookupError`` where there is none."""
    try:
        return _BROKERS[name]
    except KeyError:
        raise LookupError(f"no broker is called {name[:40]!r}") from None


def capabilities_of(name: str) -> Capabilities:
    """Return what this broker's adapter can do, without connecting."""
    return get_broker(name).capabilities
