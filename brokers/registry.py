"""The brokers that the desk knows, by name.

Asking for names, credential fields or capabilities loads no SDK; opening an adapter loads its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from brokers.base import BrokerAdapter
from brokers.types import Capabilities


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """What an operator sets for adapters; each takes what concerns it."""

    venue_url: str = ""  # the paper exchange's base URL, http:// or https://
    connect_timeout_seconds: float = 2.0
    read_timeout_seconds: float = 10.0


AdapterFactory = Callable[[Mapping[str, str], AdapterOptions], BrokerAdapter]


@dataclass(frozen=True, slots=True)
class Broker:
    """One entry of the registry."""

    name: str
    title: str
    is_simulation: bool
    credential_fields: tuple[str, ...]
    module: str = field(repr=False)  # holds CAPABILITIES and ``open_adapter``

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter can do, known without connecting."""
        return cast(Capabilities, import_module(self.module).CAPABILITIES)

    def open_adapter(
        self, credentials: Mapping[str, str], options: AdapterOptions | None = None
    ) -> BrokerAdapter:
        """Make an adapter for one account; it connects with its first request.

        Raises ``ValueError`` where a credential field is missing, without showing any value.
        """
        missing = [name for name in self.credential_fields if not credentials.get(name)]
        if missing:
            raise ValueError(f"missing credential fields: {', '.join(missing)}")
        factory = cast(AdapterFactory, import_module(self.module).open_adapter)
        return factory(credentials, options or AdapterOptions())


_BROKERS = {
    broker.name: broker
    for broker in (
        Broker("alpaca", "Alpaca", False, ("key_id", "secret"), "brokers.alpaca.factory"),
        Broker("paper", "Paper exchange", True, ("key_id", "secret"), "brokers.paper.factory"),
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


def open_adapter(
    name: str, credentials: Mapping[str, str], options: AdapterOptions | None = None
) -> BrokerAdapter:
    """Make this broker's adapter for one account; see ``Broker.open_adapter``."""
    return get_broker(name).open_adapter(credentials, options)
