"""What this adapter can do for the desk; kept apart so that asking does not load the SDK."""

from __future__ import annotations

from brokers.types import Capabilities, IdempotencyClass, OrdType, TimeInForce

CAPABILITIES = Capabilities(
    idempotency_class=IdempotencyClass.A,
    dedupe_window_seconds=None,
    ord_types=frozenset(OrdType),
    times_in_force=frozenset(TimeInForce),
    fractional=True,
    shorting=True,
    brackets=False,
    reduce_only=False,
    replaces=True,
    oco=True,
    exits_hold_shares=True,
)
