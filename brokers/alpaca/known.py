"""Which client order id belongs to which of the broker's order ids.

Fills in the account's activities and the ``replaces`` of an order name the broker's ids only.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from brokers.types import ExecutionReport

LARGEST = 10_000


class KnownOrders:
    """The last report of each order seen, by broker order id; safe for two threads."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._reports: OrderedDict[str, ExecutionReport] = OrderedDict()
        self._lock = Lock()

    def remember(self, report: ExecutionReport) -> ExecutionReport:
        """Keep the report and return it, with ``orig_cl_ord_id`` where that order is known."""
        with self._lock:
            if report.replaces and report.orig_cl_ord_id is None:
                original = self._reports.get(report.replaces)
                if original is not None:
                    report = replace(report, orig_cl_ord_id=original.cl_ord_id)
            self._reports[report.broker_order_id] = report
            self._reports.move_to_end(report.broker_order_id)
            if len(self._reports) > self._largest:
                self._reports.popitem(last=False)
        return report

    def get(self, broker_order_id: str) -> ExecutionReport | None:
        with self._lock:
            return self._reports.get(broker_order_id)
