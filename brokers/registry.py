"""Open an adapter by its broker's name; its SDK is loaded with the first one. Web cannot import this module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from brokers.base import BrokerAdapter
from brokers.catalog import get_broker


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """What an operator sets for adapters; each takes what concerns it."""

    venue_url: str = ""  # the paper exchange's base URL, http:// or https://
    connect_timeout_seconds: float = 2.0
    read_timeout_seconds: float = 10.0


AdapterFactory = Callable[[Mapping[str, str], AdapterOptions], BrokerAdapter]


def open_adapter(
    name: str, credentials: Mapping[str, str], options: AdapterOptions | None = None
) -> BrokerAdapter:
    """Make this broker's adapter for one account; it connects with its first request.

    Raises ``LookupError`` for an unknown broker, ``ValueError`` where a credential field is missing, without showing
    any value.
    """
    broker = get_broker(name)
    missing = [field for field in broker.credential_fields if not credentials.get(field)]
    if missing:
        raise ValueError(f"missing credential fields: {', '.join(missing)}")
    factory = cast(AdapterFactory, import_module(broker.module).open_adapter)
    return factory(credentials, options or AdapterOptions())
