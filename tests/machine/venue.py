"""A venue in the memory of the test process: one book for each account, its faults, and what is still on its way."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import count
from typing import TypeVar

from django.utils import timezone

from brokers.errors import (
    BrokerUnavailable,
    CredentialsRefused,
    MarketClosed,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)
from brokers.types import (
    CancelOrder,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    ReplaceOrder,
    Side,
)

T = TypeVar("T")

ZERO = Decimal(0)
FIRST_CASH = Decimal(1_000_000)
WORKING = frozenset({OrdStatus.PENDING_NEW, OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED})


class Weather(StrEnum):
    """What becomes of the next request."""

    FAIR = "fair"
    ANSWER_LOST = "answer lost"  # it arrives, and nobody hears of it
    LATE = "late"  # the sender gives up; it arrives some steps later, or on the day of reckoning
    LOST = "lost"  # the sender gives up; it never arrives
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate limited"
    CLOSED = "closed"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"


@dataclass
class VenueOrder:
    """One order in a book. A replace makes another one, which goes on from what was filled."""

    broker_order_id: str
    cl_ord_id: str
    command: NewOrder
    order_qty: Decimal
    status: OrdStatus = OrdStatus.PENDING_NEW
    cum_qty: Decimal = ZERO
    gross: Decimal = ZERO
    fills: list[ExecutionReport] = field(default_factory=list)
    replaces: VenueOrder | None = None
    replaced_by: VenueOrder | None = None

    @property
    def is_working(self) -> bool:
        return self.status in WORKING

    @property
    def first(self) -> VenueOrder:
        """The order that the chain of replaces began with."""
        return self if self.replaces is None else self.replaces.first


class Refusal(Exception):
    """The venue says no."""


class Book:
    """One account's orders, and how its venue answers: the next request meets ``weather[0]``."""

    def __init__(self, weather: deque[Weather], *, unique_ids: bool) -> None:
        self.unique_ids = unique_ids
        self.orders: list[VenueOrder] = []
        self.streams: list[Callable[[ExecutionReport], None]] = []
        self.weather = weather
        self.in_transit: list[tuple[dt.datetime, Callable[[], object]]] = []
        self.refused: set[str] = set()  # client order ids of new orders that it has said no to
        self._serial = count(1)

    # --- requests ---

    def submit(self, command: NewOrder) -> ExecutionReport:
        """Take a new order as it comes in from the wire, whatever becomes of the answer."""
        return self._through(lambda: self._place(command), refuse=lambda: self.refused.add(command.cl_ord_id))

    def cancel(self, request: CancelOrder) -> None:
        self._through(lambda: self._cancel(request.broker_order_id))

    def replace(self, request: ReplaceOrder) -> ExecutionReport:
        return self._through(lambda: self._replace(request))

    def read(self) -> None:
        """Meet the weather with a question."""
        weather = self.weather.popleft() if self.weather else Weather.FAIR
        if weather in (Weather.ANSWER_LOST, Weather.LATE, Weather.LOST):
            raise OutcomeUnknown(weather)
        if weather not in (Weather.FAIR, Weather.REFUSED, Weather.CLOSED):
            raise _not_sent(weather)

    def _through(self, action: Callable[[], T], refuse: Callable[[], object] = lambda: None) -> T:
        weather = self.weather.popleft() if self.weather else Weather.FAIR
        if weather in (Weather.LATE, Weather.LOST):
            if weather is Weather.LATE:
                self.in_transit.append((timezone.now(), action))
            raise OutcomeUnknown(weather)
        if weather is Weather.REFUSED:
            refuse()
            raise OrderRejected("insufficient buying power")
        if weather not in (Weather.FAIR, Weather.ANSWER_LOST):
            raise _not_sent(weather)
        try:
            answer = action()
        except Refusal as refusal:
            if weather is Weather.ANSWER_LOST:
                raise OutcomeUnknown(weather) from None
            raise OrderRejected(str(refusal)) from None
        if weather is Weather.ANSWER_LOST:
            raise OutcomeUnknown(weather)
        return answer

    def arrive(self, pick: int) -> None:
        """Have a late request arrive; nobody hears the answer."""
        _, action = self.in_transit.pop(pick % len(self.in_transit))
        with contextlib.suppress(Refusal):
            action()

    def arrive_overdue(self, oldest: dt.datetime) -> None:
        """Have everything arrive that left before then: no network keeps a request for ever."""
        while self.in_transit and self.in_transit[0][0] < oldest:
            self.arrive(0)

    # --- the books ---

    def find(self, cl_ord_id: str) -> VenueOrder | None:
        """Return the last order that came in under this client order id."""
        return next((order for order in reversed(self.orders) if order.cl_ord_id == cl_ord_id), None)

    def working(self) -> list[VenueOrder]:
        return [order for order in self.orders if order.is_working]

    def _place(self, command: NewOrder) -> ExecutionReport:
        known = self.find(command.cl_ord_id)
        if known is not None and self.unique_ids:
            return self.status_of(known)  # as the adapters of class A answer for a duplicate
        order = VenueOrder(self._new_id("order"), command.cl_ord_id, command, command.order_qty)
        self.orders.append(order)
        self._tell(order, ExecType.PENDING_NEW)
        return self._report(order, ExecType.PENDING_NEW)

    def _cancel(self, broker_order_id: str) -> None:
        order = self._by_id(broker_order_id)
        if not order.is_working:
            raise Refusal(f'order is already in "{order.status}" state')
        self.end(order, OrdStatus.CANCELED)

    def _replace(self, request: ReplaceOrder) -> ExecutionReport:
        known = self.find(request.cl_ord_id)
        if known is not None and self.unique_ids:
            return self.status_of(known)
        old = self._by_id(request.broker_order_id)
        if old.status not in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED):
            raise Refusal(f'order is in "{old.status}" state')
        if request.order_qty is not None and request.order_qty <= old.cum_qty:
            raise Refusal("qty must be greater than filled_qty")
        new = VenueOrder(
            self._new_id("order"),
            request.cl_ord_id,
            old.command,
            request.order_qty or old.order_qty,
            cum_qty=old.cum_qty,
            gross=old.gross,
            replaces=old,
        )
        old.status, old.replaced_by = OrdStatus.REPLACED, new
        self.orders.append(new)
        self._tell(old, ExecType.REPLACED)
        self._tell(new, ExecType.PENDING_NEW)
        return self._report(new, ExecType.PENDING_NEW)

    def acknowledge(self, order: VenueOrder) -> None:
        order.status = OrdStatus.PARTIALLY_FILLED if order.cum_qty else OrdStatus.NEW
        self._tell(order, ExecType.NEW)

    def fill(self, order: VenueOrder, qty: Decimal, price: Decimal) -> None:
        if order.status is OrdStatus.PENDING_NEW:
            self.acknowledge(order)
        last_qty = min(qty, order.order_qty - order.cum_qty)
        order.cum_qty += last_qty
        order.gross += last_qty * price
        is_filled = order.cum_qty == order.order_qty
        order.status = OrdStatus.FILLED if is_filled else OrdStatus.PARTIALLY_FILLED
        report = self._report(
            order, ExecType.TRADE, exec_id=self._new_id("fill"), last_qty=last_qty, last_px=price
        )
        order.fills.append(report)
        self._publish(report)

    def end(self, order: VenueOrder, status: OrdStatus) -> None:
        """End a working order: canceled, expired or rejected."""
        order.status = status
        self._tell(order, ExecType(status))

    # --- what it tells ---

    def status_of(self, order: VenueOrder) -> ExecutionReport:
        return self._report(order, ExecType.ORDER_STATUS)

    def fills(self) -> list[ExecutionReport]:
        return [fill for order in self.orders for fill in order.fills]

    def held(self) -> Counter[str]:
        """Return the position in each symbol, flat ones too."""
        held: Counter[str] = Counter()
        for fill in self.fills():
            assert fill.last_qty is not None
            held[fill.symbol] += fill.last_qty if fill.side is Side.BUY else -fill.last_qty
        return held

    def cash(self) -> Decimal:
        """Return what the account has left of what it began with."""
        paid = ZERO
        for fill in self.fills():
            assert fill.last_qty is not None
            assert fill.last_px is not None
            paid += fill.last_qty * fill.last_px * (1 if fill.side is Side.BUY else -1)
        return FIRST_CASH - paid

    def _tell(self, order: VenueOrder, exec_type: ExecType) -> None:
        self._publish(self._report(order, exec_type))

    def _publish(self, report: ExecutionReport) -> None:
        for hear in self.streams:
            hear(report)

    def _report(self, order: VenueOrder, exec_type: ExecType, **fields: object) -> ExecutionReport:
        return ExecutionReport(
            exec_type=exec_type,
            ord_status=order.status,
            cl_ord_id=order.cl_ord_id,
            broker_order_id=order.broker_order_id,
            symbol=order.command.symbol,
            side=Side(order.command.side),
            order_qty=order.order_qty,
            transact_time=timezone.now(),
            cum_qty=order.cum_qty,
            avg_px=order.gross / order.cum_qty if order.cum_qty else None,
            orig_cl_ord_id=order.replaces.cl_ord_id if order.replaces else None,
            replaces=order.replaces.broker_order_id if order.replaces else None,
            replaced_by=order.replaced_by.broker_order_id if order.replaced_by else None,
            **fields,  # type: ignore[arg-type]
        )

    def _by_id(self, broker_order_id: str) -> VenueOrder:
        found = next((order for order in self.orders if order.broker_order_id == broker_order_id), None)
        if found is None:
            raise Refusal("order not found")
        return found

    def _new_id(self, kind: str) -> str:
        return f"{kind}-{next(self._serial)}"


def _not_sent(weather: Weather) -> Exception:
    match weather:
        case Weather.RATE_LIMITED:
            return RateLimited(weather, retry_after_seconds=3)
        case Weather.CLOSED:
            opens = timezone.now() + dt.timedelta(seconds=20)
            return MarketClosed(weather, next_open=opens)
        case Weather.UNAUTHORIZED:
            return CredentialsRefused(weather)
    return BrokerUnavailable(weather)
