"""Open a live Alpaca account."""

from __future__ import annotations

from collections.abc import Mapping

from brokers.alpaca.capabilities import CAPABILITIES
from brokers.alpaca.config import LIVE, AlpacaCredentials, AlpacaTimings
from brokers.base import BrokerAdapter
from brokers.registry import AdapterOptions

__all__ = ["CAPABILITIES", "open_adapter"]


def open_adapter(credentials: Mapping[str, str], options: AdapterOptions) -> BrokerAdapter:
    """Make the adapter; the SDK is loaded here and not before."""
    from brokers.alpaca.adapter import AlpacaAdapter

    timings = AlpacaTimings(
        connect_timeout_seconds=options.connect_timeout_seconds,
        read_timeout_seconds=options.read_timeout_seconds,
    )
    keys = AlpacaCredentials(credentials["key_id"], credentials["secret"])
    return AlpacaAdapter(keys, LIVE, timings)
