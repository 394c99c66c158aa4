"""One account's open session at its broker: adapter and stream, in this worker only."""

import json
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import close_old_connections

from brokers.base import BrokerAdapter, Stream
from brokers.models import BrokerAccount
from brokers.registry import AdapterOptions, get_broker
from brokers.types import ExecutionReport
from brokers.vault.keys import Purpose
from brokers.vault.sealing import open_sealed
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence
from orders.services.verification import check_all_now
from tasks.replies import answer

log = structlog.get_logger(__name__)


def open_adapter(account: BrokerAccount) -> BrokerAdapter:
    """Open the account's credentials, in this process only, and make its adapter."""
    sealed = open_sealed(Purpose.BROKER, str(account.id), account.sealed_credentials)
    options = AdapterOptions(
        venue_url=settings.VENUE_URL, read_timeout_seconds=settings.BROKER_TIMEOUT_SECONDS
    )
    return get_broker(account.broker).open_adapter(json.loads(sealed), options)


class AccountSession:
    """The adapter belongs to the worker's loop, the stream to a thread of its own."""

    def __init__(self, account: BrokerAccount, fence: Fence, wake: Callable[[], None]) -> None:
        self.account_id: uuid.UUID = account.id
        self.adapter = open_adapter(account)
        self._fence = fence
        self._wake = wake
        self.stream: Stream = self.adapter.stream(on_report=self._on_report, on_gap=self._on_gap)

    def close(self) -> None:
        self.stream.close()
        self.adapter.close()

    # --- in the stream's thread; rows are locked, so it and the loop cannot corrupt each other ---

    def _on_report(self, report: ExecutionReport) -> None:
        close_old_connections()
        applied = apply_execution_report(
            report, account_id=self.account_id, origin=Origin("stream", self._fence)
        )
        if applied is not None and applied.changed:
            answer(applied.order)

    def _on_gap(self) -> None:
        close_old_connections()
        check_all_now(self.account_id)
        self._wake()
