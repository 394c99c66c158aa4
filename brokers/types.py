"""What the desk and a broker say to each other: frozen commands out, frozen reports in.

Names are FIX's. Quantities and prices are ``Decimal``; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from brokers.refusals import RefusalCode


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class PositionEffect(StrEnum):
    """FIX PositionEffect (tag 77): whether an order opens exposure or closes it."""

    OPEN = "OPEN"
    CLOSE = "CLOSE"


class OrdType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"
    OPG = "OPG"
    CLS = "CLS"
    IOC = "IOC"
    FOK = "FOK"


class OrdStatus(StrEnum):
    """FIX OrdStatus (tag 39), and three of our own that no broker ever reports."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class ExecType(StrEnum):
    """FIX ExecType (tag 150): what one report says has happened."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    TRADE = "TRADE"
    TRADE_CORRECT = "TRADE_CORRECT"
    TRADE_CANCEL = "TRADE_CANCEL"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    PENDING_REPLACE = "PENDING_REPLACE"
    REPLACED = "REPLACED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    RESTATED = "RESTATED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    TRIGGERED = "TRIGGERED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    ORDER_STATUS = "ORDER_STATUS"


class IdempotencyClass(StrEnum):
    """What a broker does with a client order id that it has seen before (design: Brokers)."""

    A = "A"  # unique for ever: sending again with the same id cannot make a second order
    B = "B"  # deduped for ``dedupe_window_seconds``, afterwards as C
    C = "C"  # correlation only: an unresolved send is never repeated automatically


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A command: place this order."""

    cl_ord_id: str  # at most 28 of [0-9A-Za-z_.-], unique for ever
    symbol: str
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    order_qty: Decimal
    price: Decimal | None = None  # limit price, LIMIT and STOP_LIMIT
    stop_px: Decimal | None = None  # STOP and STOP_LIMIT
    reduce_only: bool = False  # honoured where ``Capabilities.reduce_only``
    trail_offset: Decimal | None = None  # TRAILING_STOP: the distance in price,
    trail_percent: Decimal | None = None  # or in percent of it
    oco_stop_px: Decimal | None = (
        None  # LIMIT: a stop loss in the same order, one cancels the other; ``oco`` only
    )


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """A command: cancel the order that carries ``orig_cl_ord_id``."""

    cl_ord_id: str  # of this request
    orig_cl_ord_id: str
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """A command: change a working order; None leaves a field as it is."""

    cl_ord_id: str  # of this request; the order's id afterwards where the broker takes one
    orig_cl_ord_id: str
    broker_order_id: str
    order_qty: Decimal | None = None
    price: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce | None = None


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """A fact from a broker about one order, whichever way it came.

    ``exec_id`` is set on TRADE, TRADE_CORRECT and TRADE_CANCEL and is what fills are deduped by.
    ``cum_qty`` and ``avg_px`` are the broker's own totals where it gives them; only TRADE,
    TRADE_CORRECT and TRADE_CANCEL ever count as fills.
    """

    exec_type: ExecType
    ord_status: OrdStatus  # as the broker sees the order after this report
    cl_ord_id: str
    broker_order_id: str
    symbol: str
    side: Side
    order_qty: Decimal
    transact_time: datetime
    orig_cl_ord_id: str | None = None
    exec_id: str | None = None
    exec_ref_id: str | None = None  # the exec_id that a correction or bust speaks of
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    cum_qty: Decimal | None = None
    avg_px: Decimal | None = None
    price: Decimal | None = None
    stop_px: Decimal | None = None
    commission: Decimal | None = None  # of this fill, where the broker gives it; a rebate is negative
    text: str = ""  # the broker's own words
    refusal: RefusalCode | None = None  # what they mean, where the report tells of a refusal
    replaces: str | None = None  # broker_order_id of the order that this one has replaced
    replaced_by: str | None = None  # broker_order_id of the order that has replaced this one
    ord_type: OrdType | None = None  # where the report tells it
    time_in_force: TimeInForce | None = None
    trail_offset: Decimal | None = None
    trail_percent: Decimal | None = None
    legs: tuple[
        ExecutionReport, ...
    ] = ()  # orders that the broker has made with this one, under ids of its own


@dataclass(frozen=True, slots=True)
class PositionReport:
    symbol: str
    qty: Decimal  # signed: short is negative
    avg_px: Decimal
    market_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """The broker has counted a position anew, without anybody's trade: a split, say."""

    symbol: str
    qty: Decimal  # by which the position has changed; signed
    day: date  # by the broker's calendar
    description: str = ""


@dataclass(frozen=True, slots=True)
class AccountReport:
    account_number: str
    currency: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    blocked: bool


TickRule = tuple[tuple[Decimal, Decimal], ...]
"""Pairs of a price and the tick that counts from it on, lowest price first; the first pair begins at zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentReport:
    """What a broker says of one symbol that it trades, or would trade."""

    symbol: str
    name: str
    exchange: str
    currency: str
    ticks: TickRule
    lot_step: Decimal  # quantities are multiples of it
    short_step: Decimal  # those of short sales, which many brokers take in whole lots only
    min_qty: Decimal
    min_notional: Decimal | None = None  # in ``currency``; None: the broker names none
    multiplier: Decimal = Decimal(1)  # what one unit is worth at a price of 1
    tradable: bool
    shortable: bool
    fractionable: bool
    marginable: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest quote; a side that is missing is None, never zero."""

    symbol: str
    bid_px: Decimal | None
    ask_px: Decimal | None
    quote_time: datetime


@dataclass(frozen=True, slots=True)
class Capabilities:
    idempotency_class: IdempotencyClass
    dedupe_window_seconds: int | None
    ord_types: frozenset[OrdType]
    times_in_force: frozenset[TimeInForce]
    fractional: bool
    shorting: bool
    brackets: bool
    reduce_only: bool
    replaces: bool
    oco: bool = False  # a target and a stop in one order, of which the broker cancels the other
    exits_hold_shares: bool = (
        False  # what an open exit would close, no other exit can: two at once only as an OCO
    )
    lists_every_symbol: bool = True
    """What ``list_instruments`` leaves out cannot be traded there."""


BeforeSend = Callable[[], None]
"""Called immediately before a command's first byte may leave; raises to forbid the sending."""

OnReport = Callable[[ExecutionReport], None]
"""Called from the stream's thread, once for each report, in the order received."""
