"""What a broker's stream tells of an order while it is being sent, kept to be taken in with the answer."""

import threading

from brokers.types import ExecType, ExecutionReport

ACKNOWLEDGEMENTS = (ExecType.PENDING_NEW, ExecType.NEW)


class HeldReports:
    """At most one order's reports at a time: the stream's thread offers, the worker's loop takes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._cl_ord_id: str | None = None
        self._reports: list[ExecutionReport] = []

    def hold(self, cl_ord_id: str) -> None:
        """Keep what is told of this order from now on."""
        with self._changed:
            self._cl_ord_id = cl_ord_id

    def offer(self, report: ExecutionReport) -> bool:
        """Keep the report if it is of the order being sent; return whether it was kept."""
        with self._changed:
            if report.cl_ord_id != self._cl_ord_id:
                return False
            self._reports.append(report)
            self._changed.notify()
            return True

    def take(self, wait_seconds: float = 0.0) -> list[ExecutionReport]:
        """Return what was kept, and keep no more; wait so long for more than acknowledgements."""
        with self._changed:
            if wait_seconds:
                self._changed.wait_for(self._has_outcome, wait_seconds)
            taken, self._reports, self._cl_ord_id = self._reports, [], None
        return taken

    def _has_outcome(self) -> bool:
        return any(report.exec_type not in ACKNOWLEDGEMENTS for report in self._reports)
