"""What an order is at one moment, and what FIX calls that.

``OrdStatus`` is never stored here: it is a projection of facts that are kept apart, because several
of them can hold at once (an order can be filled *and* have a replace pending at the broker).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

from brokers.types import OrdStatus

ZERO = Decimal(0)
AVG_PX_PLACES = Decimal("0.0000000001")
ARITHMETIC = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""Wide enough that sums and products of prices and quantities are exact; only quotients round."""


class Phase(StrEnum):
    """How far the order itself has come, leaving fills, requests and its end aside."""

    INITIALIZED = "INITIALIZED"  # recorded, not sent
    DENIED = "DENIED"  # refused by us, never sent
    SUBMITTED = "SUBMITTED"  # in flight: the outcome is not known
    PENDING_NEW = "PENDING_NEW"  # the broker has it
    NEW = "NEW"  # the broker has accepted it


class EndCause(StrEnum):
    """Why the broker does not work the order any more, being filled aside."""

    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = (
        "UNKNOWN"  # "unknown order", or refused when sent again: REJECTED until a sign of life withdraws it
    )


class RequestKind(StrEnum):
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


class RequestStage(StrEnum):
    SENT = "SENT"  # ours alone: the broker has not spoken of it, so OrdStatus does not show it
    PENDING = "PENDING"  # confirmed by the broker as pending, not answered
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    MOOT = "MOOT"  # the order ended before the request was answered


@dataclass(frozen=True, slots=True)
class Fill:
    """An execution that counts, as last corrected."""

    exec_id: str
    last_qty: Decimal
    last_px: Decimal
    supersedes: tuple[str, ...] = ()  # exec ids that this one has corrected, newest first


@dataclass(frozen=True, slots=True)
class Request:
    """A cancel or a replace, ours or one that only the broker has told of."""

    id: str
    kind: RequestKind
    order_qty: Decimal | None = None  # asked for, REPLACE only; None leaves the quantity as it is
    stage: RequestStage = RequestStage.SENT

    @property
    def is_open(self) -> bool:
        return self.stage in _OPEN_STAGES


_OPEN_STAGES = (RequestStage.SENT, RequestStage.PENDING)
_LOCAL_STATUS = {
    Phase.INITIALIZED: OrdStatus.INITIALIZED,
    Phase.DENIED: OrdStatus.DENIED,
    Phase.SUBMITTED: OrdStatus.SUBMITTED,
    Phase.PENDING_NEW: OrdStatus.PENDING_NEW,
    Phase.NEW: OrdStatus.NEW,
}
_END_STATUS = {
    EndCause.CANCELED: OrdStatus.CANCELED,
    EndCause.EXPIRED: OrdStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class OrderState:
    """Everything that OrdStatus is a projection of."""

    order_qty: Decimal  # zero while a cash order has not been converted by the broker
    phase: Phase = Phase.INITIALIZED
    attempt: int = 0  # of the last Submitted
    fills: tuple[Fill, ...] = ()  # the surviving ones, oldest first
    retired: tuple[str, ...] = ()  # busted exec ids: these may never count (again)
    requests: tuple[Request, ...] = ()  # in the order in which they were made
    end: EndCause | None = None
    done_for_day: bool = False
    good_till: bool = False  # learned with DoneForDay: the rest works again on another day
    stopped: bool = False
    suspended: bool = False

    @property
    def cum_qty(self) -> Decimal:
        """Sum the surviving fills."""
        total = ZERO
        for fill in self.fills:
            total += fill.last_qty
        return total

    @property
    def leaves_qty(self) -> Decimal:
        """Say what may still trade; never below zero.

        Zero once canceled, expired, rejected or denied, and when a day order is done for the day.
        """
        if self.end is not None or self.phase is Phase.DENIED:
            return ZERO
        if self.done_for_day and not self.good_till:
            return ZERO
        return max(self.order_qty - self.cum_qty, ZERO)

    @property
    def avg_px(self) -> Decimal | None:
        """Average the surviving fills by quantity: 10 places, half to even; None without a fill."""
        quantity = gross = ZERO
        for fill in self.fills:
            quantity += fill.last_qty
            gross = ARITHMETIC.fma(fill.last_qty, fill.last_px, gross)
        if not quantity:
            return None
        return ARITHMETIC.quantize(ARITHMETIC.divide(gross, quantity), AVG_PX_PLACES)

    @property
    def overfilled(self) -> bool:
        """True where more was executed than ordered: real, counted, and worth an alarm."""
        return bool(self.order_qty) and self.cum_qty > self.order_qty

    @property
    def open_requests(self) -> tuple[Request, ...]:
        """Our requests that nobody has answered, shown by OrdStatus or not."""
        return tuple(request for request in self.requests if request.is_open)

    @property
    def at_broker(self) -> bool:
        """True once any fact has come from the broker."""
        return self.phase in (Phase.PENDING_NEW, Phase.NEW)

    @property
    def is_working(self) -> bool:
        """True while the broker has the order and some of it may still trade."""
        return self.at_broker and self.leaves_qty > ZERO

    @property
    def is_terminal(self) -> bool:
        """True when nothing more will happen by itself.

        Read from the facts, not from OrdStatus: an order that was canceled and then reported done
        for the day has ended, whatever precedence shows. A request that the broker has confirmed as
        pending keeps the order open, since its answer is still to come.
        """
        if self._pending_status() is not None:
            return False
        return self.end is not None or self.phase is Phase.DENIED or self._is_filled(self.cum_qty)

    @property
    def ord_status(self) -> OrdStatus:
        """Project the facts onto one FIX OrdStatus by FIX's precedence, highest first."""
        status = self._pending_status()
        if status is not None:
            return status
        cum_qty = self.cum_qty
        if self.done_for_day:
            return OrdStatus.DONE_FOR_DAY
        if self._is_filled(cum_qty):
            return OrdStatus.FILLED
        return self._unfilled_status(cum_qty)

    def _unfilled_status(self, cum_qty: Decimal) -> OrdStatus:
        if self.stopped:
            return OrdStatus.STOPPED
        if self.suspended:
            return OrdStatus.SUSPENDED
        if self.end in _END_STATUS:
            return _END_STATUS[self.end]
        if cum_qty > ZERO:
            return OrdStatus.PARTIALLY_FILLED
        return OrdStatus.REJECTED if self.end is not None else _LOCAL_STATUS[self.phase]

    def _pending_status(self) -> OrdStatus | None:
        status = None
        for request in self.requests:
            if request.stage is RequestStage.PENDING:
                if request.kind is RequestKind.CANCEL:
                    return OrdStatus.PENDING_CANCEL
                status = OrdStatus.PENDING_REPLACE
        return status

    def _is_filled(self, cum_qty: Decimal) -> bool:
        return ZERO < self.order_qty <= cum_qty
