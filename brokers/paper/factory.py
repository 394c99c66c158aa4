"""Open an account at the paper exchange: the Alpaca adapter with other base URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from brokers.alpaca.capabilities import CAPABILITIES as OF_ALPACA
from brokers.alpaca.config import AlpacaCredentials, AlpacaEndpoints, AlpacaTimings
from brokers.base import BrokerAdapter
from brokers.registry import AdapterOptions
from brokers.types import Capabilities

__all__ = ["CAPABILITIES", "open_adapter", "venue_endpoints"]

# The exchange lists well-known symbols, and trades any other well-formed one besides.
CAPABILITIES = replace(OF_ALPACA, lists_every_symbol=False)


def venue_endpoints(venue_url: str) -> AlpacaEndpoints:
    """Derive the three base URLs of a venue from its one."""
    url = venue_url.rstrip("/")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise ValueError("the venue's URL must begin with http:// or https://")
    stream_scheme = "wss" if scheme == "https" else "ws"
    return AlpacaEndpoints(url, url, f"{stream_scheme}://{rest}/stream")


def open_adapter(
    credentials: Mapping[str, str], options: AdapterOptions, capabilities: Capabilities = CAPABILITIES
) -> BrokerAdapter:
    """Make the adapter; the SDK is loaded here and not before."""
    from brokers.alpaca.adapter import AlpacaAdapter

    timings = AlpacaTimings(
        connect_timeout_seconds=options.connect_timeout_seconds,
        read_timeout_seconds=options.read_timeout_seconds,
        requests_per_minute=None,  # the venue is ours
    )
    keys = AlpacaCredentials(credentials["key_id"], credentials["secret"])
    return AlpacaAdapter(keys, venue_endpoints(options.venue_url), timings, capabilities)
