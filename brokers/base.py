"""The adapter protocol: what the desk asks of every broker.

| method | must | may raise besides ``OutcomeUnknown`` and ``NotSent`` |
|---|---|---|
| ``connect`` | prove the credentials with one cheap read | ``CredentialsRefused`` |
| ``submit_order`` | send once, never retry by itself | ``OrderRejected`` |
| ``cancel_order``, ``replace_order`` | send once; success of the request is not its confirmation | ``OrderRejected`` |
| ``get_order`` | None only where the broker proved that it has no such order | |
| ``get_order_by_broker_id`` | the same, by the broker's own id; whatever client order id it carries | |
| ``list_orders``, ``list_executions`` | everything since then, oldest first, paging inside | |
| ``list_corporate_actions`` | splits and the like since then; [] where the broker does not tell of them | |
| ``quotes`` | one call for all symbols; a symbol without a readable quote is left out | |
| ``list_instruments`` | every symbol there is to trade; one that cannot be read is left out | |
| ``stream`` | start a thread of its own; reports in order; ``on_gap`` before any that follow a gap | |

``before_send`` is called immediately before the first byte of a command may leave and raises to
forbid it (the lease's deadline check); an adapter must let that exception through unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from brokers.types import (
    AccountReport,
    BeforeSend,
    CancelOrder,
    Capabilities,
    CorporateAction,
    ExecutionReport,
    InstrumentReport,
    NewOrder,
    OnReport,
    PositionReport,
    Quote,
    ReplaceOrder,
)


class Stream(Protocol):
    """A running stream of execution reports."""

    @property
    def is_live(self) -> bool:
        """Say whether the stream is connected, authorized and listening right now."""
        ...

    def wait_live(self, timeout_seconds: float) -> bool:
        """Wait until the stream is live; return whether it is."""
        ...

    def renew(self) -> None:
        """Connect anew, as after a loss; ``on_gap`` is told. Does nothing while there is no connection."""
        ...

    def close(self) -> None:
        """Stop the stream's thread; calling it twice is safe."""
        ...


class BrokerAdapter(Protocol):
    """One account at one broker. Not thread-safe but for ``stream``, which owns its thread."""

    @property
    def capabilities(self) -> Capabilities: ...

    def connect(self) -> None: ...

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport: ...

    def cancel_order(self, request: CancelOrder, *, before_send: BeforeSend) -> None: ...

    def replace_order(self, request: ReplaceOrder, *, before_send: BeforeSend) -> ExecutionReport: ...

    def get_order(self, cl_ord_id: str) -> ExecutionReport | None: ...

    def get_order_by_broker_id(self, broker_order_id: str) -> ExecutionReport | None: ...

    def list_orders(
        self, *, since: datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]: ...

    def list_executions(self, *, since: datetime) -> list[ExecutionReport]: ...

    def list_positions(self) -> list[PositionReport]: ...

    def list_corporate_actions(self, *, since: datetime) -> list[CorporateAction]: ...

    def account(self) -> AccountReport: ...

    def quote(self, symbol: str) -> Quote: ...

    def quotes(self, symbols: Sequence[str]) -> list[Quote]: ...

    def list_instruments(self) -> list[InstrumentReport]: ...

    def stream(self, *, on_report: OnReport, on_gap: Callable[[], None]) -> Stream: ...

    def close(self) -> None: ...
