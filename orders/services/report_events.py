"""What a broker's report means as an event of the state machine."""

from collections.abc import Callable

from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.state import (
    Acknowledged,
    Bust,
    Canceled,
    CancelRejected,
    Correction,
    DoneForDay,
    Event,
    Expired,
    PendingCancel,
    PendingNew,
    PendingReplace,
    Rejected,
    Replaced,
    ReplaceRejected,
    Restated,
    StatusReport,
    Stopped,
    Suspended,
    Trade,
    Triggered,
)

FILLS = frozenset({ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL})
REFUSALS = {
    ExecType.CANCEL_REJECTED: CancelRejected.__name__,
    ExecType.REPLACE_REJECTED: ReplaceRejected.__name__,
}
"""Refusals of what we have asked for, and as what history has them."""


def event_of(report: ExecutionReport) -> Event:
    """Translate a report into the state machine's event."""
    return EVENTS[report.exec_type](report)


def says_replaced(report: ExecutionReport) -> bool:
    """Say whether the order that it names has been replaced by another."""
    by_status = report.exec_type is ExecType.ORDER_STATUS and report.ord_status is OrdStatus.REPLACED
    return by_status or report.exec_type is ExecType.REPLACED


def answer_to_replace(report: ExecutionReport) -> Event:
    """Say what a report of the replacing order means for the replace that asked for it."""
    if report.ord_status is OrdStatus.PENDING_NEW:
        return PendingReplace(report.cl_ord_id)
    if report.ord_status is OrdStatus.REJECTED:
        return ReplaceRejected(report.cl_ord_id, reason=report.text)
    return Replaced(report.cl_ord_id, report.order_qty)


def _status_event(report: ExecutionReport) -> Event:
    # A broker that lists the order as rejected knows it; the state machine's REJECTED would mean "unknown order".
    return (
        Rejected(report.text) if report.ord_status is OrdStatus.REJECTED else StatusReport(report.ord_status)
    )


def _fill_event(report: ExecutionReport) -> Event:
    exec_id, ref_id = report.exec_id or "", report.exec_ref_id or ""
    last_qty, last_px = report.last_qty, report.last_px
    if report.exec_type is ExecType.TRADE_CANCEL:
        return Bust(exec_id, ref_id)
    if last_qty is None or last_px is None:
        raise ValueError(f"a {report.exec_type} report without quantity or price")
    if report.exec_type is ExecType.TRADE:
        return Trade(exec_id, last_qty, last_px)
    return Correction(exec_id, ref_id, last_qty, last_px)


EVENTS: dict[ExecType, Callable[[ExecutionReport], Event]] = {
    ExecType.PENDING_NEW: lambda report: PendingNew(),
    ExecType.NEW: lambda report: Acknowledged(),
    ExecType.TRADE: _fill_event,
    ExecType.TRADE_CORRECT: _fill_event,
    ExecType.TRADE_CANCEL: _fill_event,
    # Brokers name the order here, not our request; the state machine takes the oldest that fits.
    ExecType.PENDING_CANCEL: lambda report: PendingCancel(),
    ExecType.CANCELED: lambda report: Canceled(),
    ExecType.CANCEL_REJECTED: lambda report: CancelRejected(reason=report.text),
    ExecType.PENDING_REPLACE: lambda report: PendingReplace(),
    ExecType.REPLACED: lambda report: Replaced(order_qty=report.order_qty),
    ExecType.REPLACE_REJECTED: lambda report: ReplaceRejected(reason=report.text),
    ExecType.RESTATED: lambda report: Restated(report.order_qty, report.cum_qty),
    ExecType.DONE_FOR_DAY: lambda report: DoneForDay(),
    ExecType.EXPIRED: lambda report: Expired(),
    ExecType.STOPPED: lambda report: Stopped(),
    ExecType.SUSPENDED: lambda report: Suspended(),
    ExecType.TRIGGERED: lambda report: Triggered(),
    ExecType.REJECTED: lambda report: Rejected(report.text),
    ExecType.ORDER_STATUS: _status_event,
}
