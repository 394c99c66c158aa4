"""The venue's nouns: frozen records with exact decimals and aware UTC times."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

WORKING_STATUSES = frozenset({"accepted", "pending_new", "new", "partially_filled", "done_for_day"})
"""Open by the words of the API: ``GET /v2/orders`` lists these as open."""
OPEN_STATUSES = WORKING_STATUSES | {"held"}
"""Whatever can still come alive; a held leg can, although the API does not list it as open."""
ZERO = Decimal(0)


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """One trading account; ``cash`` moves only together with a ledger row."""

    id: UUID
    account_number: str
    key_id: str
    label: str
    created_at: datetime
    cash: Decimal
    multiplier: Decimal
    unique_client_order_ids: bool
    shorting: bool
    blocked: bool
    wash_checks: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it stands; ``filled_value`` is the sum of price times quantity over its fills.

    ``group_id`` joins the orders of one bracket, OCO or OTO, and ``leg`` says which of them this is. A held
    stop that is ``armed`` watches the market; one that is not still waits for its entry.
    """

    id: UUID
    account_id: UUID
    client_order_id: str
    enforce_unique_id: bool
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime
    symbol: str
    qty: Decimal
    type: str
    side: str
    time_in_force: str
    status: str
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    reserve_price: Decimal = ZERO
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    triggered: bool = False
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    expires_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: UUID | None = None
    replaces: UUID | None = None
    fill_plan: dict[str, Any] | None = None
    plan_step: int = 0
    order_class: str = ""
    group_id: UUID | None = None
    leg: str = ""
    armed: bool = False
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    source: str = "access_key"

    @property
    def is_plain(self) -> bool:
        """Whether the order has none of what only groups, trailing stops and outside orders have."""
        return not self.order_class and self.hwm is None and self.source == "access_key"

    @property
    def is_main(self) -> bool:
        """Whether the API shows the order by itself when it nests the legs of groups."""
        return self.leg in ("", "entry") or (self.order_class == "oco" and self.leg == "take_profit")

    @property
    def is_open(self) -> bool:
        """Whether the order can still execute or be canceled."""
        return self.status in OPEN_STATUSES

    @property
    def leaves_qty(self) -> Decimal:
        """Shares that can still execute; zero once the order is closed."""
        return self.qty - self.filled_qty if self.is_open else ZERO

    @property
    def reserved(self) -> Decimal:
        """Buying power that the open remainder holds; zero for an order that closes a position."""
        return self.leaves_qty * self.reserve_price


@dataclass(frozen=True, slots=True)
class Position:
    """Shares of one symbol: ``qty`` and ``cost`` are negative for a short."""

    account_id: UUID
    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def avg_entry_price(self) -> Decimal:
        """Average price of the shares held; zero when flat."""
        return self.cost / self.qty if self.qty else ZERO


@dataclass(frozen=True, slots=True)
class Quote:
    """Top of book for one symbol."""

    symbol: str
    bid: Decimal
    ask: Decimal
    at: datetime

    @property
    def last(self) -> Decimal:
        """Price that elects stops: the middle, to the cent."""
        return ((self.bid + self.ask) / 2).quantize(Decimal("0.0001"))


@dataclass(frozen=True, slots=True)
class Change:
    """One ledger row in the making, and the stream event that follows its commit.

    ``event`` is empty for rows that the stream does not tell.
    """

    kind: str
    account_id: UUID
    at: datetime
    order: Order | None = None
    event: str = ""
    execution_id: UUID | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    cash_delta: Decimal = ZERO
    position_qty: Decimal | None = None
    client_order_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    data: dict[str, Any] | None = None
    previous_execution_id: UUID | None = None
    reason: str = ""
    """What the stream gives as the reason, where it gives one."""


def columns(record: type) -> str:
    """Return a record's column list for SQL, in the order of its fields."""
    return ", ".join(field.name for field in fields(record))
