"""Open an account at the paper exchange whose client order ids are correlation only, as Gate.io's and Shioaji's are.

The venue accepts a second order of the same id there, so that what the desk promises for such brokers can be tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from brokers.base import BrokerAdapter
from brokers.paper import factory
from brokers.registry import AdapterOptions
from brokers.types import IdempotencyClass

CAPABILITIES = replace(factory.CAPABILITIES, idempotency_class=IdempotencyClass.C)


def open_adapter(credentials: Mapping[str, str], options: AdapterOptions) -> BrokerAdapter:
    """Make the adapter; the SDK is loaded here and not before."""
    return factory.open_adapter(credentials, options, capabilities=CAPABILITIES)
