"""What may happen to an order: our own decisions, and facts from its broker.

A request's ``id`` is the ClOrdID of that cancel or replace. ``None`` in a broker's fact means that
the broker did not say which request it speaks of.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokers.types import OrdStatus


@dataclass(frozen=True, slots=True)
class Submitted:
    """We are about to send; from here on the outcome is unknown."""

    attempt: int  # grows by each sending


@dataclass(frozen=True, slots=True)
class NotSent:
    """Proof that nothing of the order left us."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resized:
    """We decide at its turn how much an exit is to close; it has not been sent."""

    order_qty: Decimal


@dataclass(frozen=True, slots=True)
class Denied:
    """We refuse the order and shall never send it."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """We are about to ask for a cancel."""

    id: str


@dataclass(frozen=True, slots=True)
class ReplaceRequested:
    """We are about to ask for a replace; ``order_qty`` None leaves the quantity as it is."""

    id: str
    order_qty: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RequestNotSent:
    """Proof that nothing of that cancel or replace left us."""

    id: str


@dataclass(frozen=True, slots=True)
class PendingNew:
    """The broker has the order and has not accepted it yet."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """ExecType New: accepted. Said again, the broker works it again."""


@dataclass(frozen=True, slots=True)
class Sized:
    """The broker has converted a cash amount into this quantity (CashOrderQty)."""

    order_qty: Decimal


@dataclass(frozen=True, slots=True)
class Trade:
    exec_id: str
    last_qty: Decimal
    last_px: Decimal


@dataclass(frozen=True, slots=True)
class Correction:
    """An earlier execution was really this one; ``last_qty`` and ``last_px`` are the whole of it."""

    exec_id: str
    exec_ref_id: str
    last_qty: Decimal
    last_px: Decimal


@dataclass(frozen=True, slots=True)
class Bust:
    """An earlier execution, as last corrected, does not stand."""

    exec_id: str
    exec_ref_id: str


@dataclass(frozen=True, slots=True)
class PendingCancel:
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Canceled:
    """The rest is canceled; ``id`` None where nobody asked (IOC, FOK, a broker's own cancel)."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class CancelRejected:
    id: str | None = None
    ord_status: OrdStatus | None = None  # as the reject says; REJECTED means "unknown order"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PendingReplace:
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    id: str | None = None
    order_qty: Decimal | None = None  # as the broker reports it; None leaves it as it is


@dataclass(frozen=True, slots=True)
class ReplaceRejected:
    id: str | None = None
    ord_status: OrdStatus | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Restated:
    """The broker tells of its own accord what the order is now.

    ``cum_qty`` is the broker's total. It never makes a fill: it is used only where it and
    ``order_qty`` moved by one and the same factor, which is a corporate action (a stock split).
    """

    order_qty: Decimal | None = None
    cum_qty: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    pass


@dataclass(frozen=True, slots=True)
class DoneForDay:
    good_till: bool = False  # a GTC or GTD order: what is left works again on another day


@dataclass(frozen=True, slots=True)
class Stopped:
    """An execution is guaranteed. Its quantity is no fill."""


@dataclass(frozen=True, slots=True)
class Suspended:
    pass


@dataclass(frozen=True, slots=True)
class Triggered:
    """A stop order has been activated."""


@dataclass(frozen=True, slots=True)
class Rejected:
    reason: str = ""
    duplicate: bool = False  # refuses a second sending of the same id, and proves the first arrived


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The answer to a question. Never a fill, whatever quantities it carries."""

    ord_status: OrdStatus


OwnDecision = Submitted | NotSent | Resized | Denied | CancelRequested | ReplaceRequested | RequestNotSent
BrokerFact = (
    PendingNew
    | Acknowledged
    | Sized
    | Trade
    | Correction
    | Bust
    | PendingCancel
    | Canceled
    | CancelRejected
    | PendingReplace
    | Replaced
    | ReplaceRejected
    | Restated
    | Expired
    | DoneForDay
    | Stopped
    | Suspended
    | Triggered
    | Rejected
    | StatusReport
)
Event = OwnDecision | BrokerFact
