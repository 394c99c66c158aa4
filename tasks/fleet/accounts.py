"""One account's open session at its broker: adapter and stream, in this worker only."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import close_old_connections

from brokers.base import BrokerAdapter, Stream
from brokers.models import BrokerAccount
from brokers.registry import AdapterOptions, open_adapter
from brokers.types import ExecType, ExecutionReport
from brokers.vault.open_broker import open_credentials
from brokers.vault.record import VaultError
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.leases import Fence
from orders.services.verification import check_all_now
from tasks.replies import answer

log = structlog.get_logger(__name__)

ACKNOWLEDGEMENTS = (ExecType.PENDING_NEW, ExecType.NEW)


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
        self._hold = threading.Lock()
        self._held_id: str | None = None
        self._held: list[ExecutionReport] = []
        self._awaited: deque[str] = deque(maxlen=100)
        self._early: dict[str, list[ExecutionReport]] = {}  # the stream's thread only
        self.stream: Stream = self.adapter.stream(on_report=self._on_report, on_gap=self._on_gap)

    def await_fill(self, cl_ord_id: str) -> None:
        """This order was acknowledged and will fill in a moment: take its stream's acknowledgements in with the fill.

        Should no fill follow, the check that is due in seconds tells as much.
        """
        self._awaited.append(cl_ord_id)

    @contextmanager
    def holding(self, cl_ord_id: str) -> Iterator[Callable[[], list[ExecutionReport]]]:
        """While this order is being sent, keep what the stream tells of it; the block takes it in with the answer.

        What nobody has taken at the end of the block is applied then.
        """
        with self._hold:
            self._held_id = cl_ord_id
        try:
            yield self._take_held
        finally:
            left = self._take_held()
            if left:
                self._apply(left)

    def _take_held(self) -> list[ExecutionReport]:
        """Return what was kept, and keep no more."""
        with self._hold:
            held, self._held, self._held_id = self._held, [], None
        return held

    def close(self) -> None:
        self.stream.close()
        self.adapter.close()

    # --- in the stream's thread; rows are locked, so it and the loop cannot corrupt each other ---

    def _on_report(self, report: ExecutionReport) -> None:
        with self._hold:
            if report.cl_ord_id == self._held_id:
                self._held.append(report)
                return
        before = self._early.pop(report.cl_ord_id, [])
        if report.exec_type in ACKNOWLEDGEMENTS and report.cl_ord_id in self._awaited:
            self._early[report.cl_ord_id] = [*before, report]
            return
        close_old_connections()
        self._apply([*before, report])

    def _apply(self, reports: list[ExecutionReport]) -> None:
        applied = apply_execution_reports(
            reports, account_id=self.account_id, origin=Origin("stream", self._fence())
        )
        if applied is not None and applied.changed:
            answer(applied.order)

    def _on_gap(self) -> None:
        close_old_connections()
        check_all_now(self.account_id)
        self._wake()
