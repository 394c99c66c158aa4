"""One account's open session at its broker: adapter and stream, in this worker only."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import close_old_connections

from brokers.base import BrokerAdapter, Stream
from brokers.models import BrokerAccount
from brokers.registry import AdapterOptions, open_adapter
from brokers.types import ExecutionReport, OrdType
from brokers.vault.open_broker import open_credentials
from brokers.vault.record import VaultError
from orders.models import Order
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.leases import Fence
from orders.services.reconciliation.asking import ask_after_gap
from orders.services.verification import check_all_now
from tasks.fleet.held import HeldReports
from tasks.fleet.watching import StreamWatch
from tasks.replies import answer, answer_requests

log = structlog.get_logger(__name__)


class AccountUnusable(Exception):
    """This account cannot be opened here: its credentials do not open, or its broker is not known."""


def adapter_for(account: BrokerAccount) -> BrokerAdapter:
    """Open the account's credentials, in this process only, and make its adapter. Raises ``AccountUnusable``."""
    options = AdapterOptions(
        venue_url=settings.VENUE_URL, read_timeout_seconds=settings.BROKER_TIMEOUT_SECONDS
    )
    try:
        return open_adapter(account.broker, open_credentials(account), options)
    except (VaultError, LookupError, ValueError) as error:
        raise AccountUnusable(f"{account.label}: {error}") from None


class AccountSession:
    """The adapter belongs to the worker's loop, the stream to a thread of its own."""

    def __init__(self, account: BrokerAccount, fence: Callable[[], Fence], wake: Callable[[], None]) -> None:
        self.account_id: uuid.UUID = account.id
        self.adapter = adapter_for(account)
        self._fence = fence
        self._wake = wake
        self._held = HeldReports()
        self.stream: Stream = self.adapter.stream(on_report=self._on_report, on_gap=self._on_gap)
        self.watch = StreamWatch(self.stream)

    @contextmanager
    def holding(self, order: Order) -> Iterator[Callable[[], list[ExecutionReport]]]:
        """While this order is being sent, keep what the stream tells of it; the block takes it in with the answer.

        A market order's fill is a few milliseconds behind its acknowledgement, and worth the wait: one transaction
        takes in both. What nobody has taken at the end of the block is applied then.
        """
        fills_at_once = order.ord_type == OrdType.MARKET and self.stream.is_live
        wait_seconds = settings.FILL_WAIT_MS / 1000 if fills_at_once else 0.0
        self._held.hold(order.cl_ord_id)
        try:
            yield lambda: self._held.take(wait_seconds)
        finally:
            left = self._held.take()
            if left:
                self._apply(left)

    def close(self) -> None:
        self.stream.close()
        self.adapter.close()

    # --- in the stream's thread; rows are locked, so it and the loop cannot corrupt each other ---

    def _on_report(self, report: ExecutionReport) -> None:
        self.watch.heard()
        if self._held.offer(report):
            return
        close_old_connections()
        self._apply([report])

    def _apply(self, reports: list[ExecutionReport]) -> None:
        applied = apply_execution_reports(
            reports, account_id=self.account_id, origin=Origin("stream", self._fence())
        )
        if applied is None:
            self._wake()  # somebody else's order: the account is to be compared with its broker
        elif applied.changed:
            answer_requests(applied.answered)
            answer(applied.order, self._fence())
        if applied is not None and applied.tends:
            self._wake()

    def _on_gap(self) -> None:
        close_old_connections()
        check_all_now(self.account_id)
        ask_after_gap(self.account_id)
        self._wake()
