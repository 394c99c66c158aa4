"""What is compared: one account's books, ours and the broker's."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from brokers.types import CorporateAction, ExecutionReport, OrdStatus, PositionReport

BOOKED = "RECONCILED"
"""The reason that the order of a booking bears which nobody has traded."""


@dataclass(frozen=True, slots=True)
class TheirBooks:
    """One account as its broker shows it.

    ``is_settled``: no order and no execution has changed while positions and cash were read, so that these are what
    the executions have made. Only then may they be compared.
    """

    since: dt.datetime
    read_at: dt.datetime
    """When the last reading began, by our clock."""
    orders: tuple[ExecutionReport, ...]
    executions: tuple[ExecutionReport, ...]
    positions: tuple[PositionReport, ...]
    corporate_actions: tuple[CorporateAction, ...]
    cash: Decimal
    is_settled: bool


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order as the desk has it."""

    ord_status: OrdStatus
    order_qty: Decimal
    cum_qty: Decimal
    ended: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """A position; short is negative, and so is its cost. Flat is all zero."""

    qty: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)

    @property
    def avg_px(self) -> Decimal | None:
        return self.cost / self.qty if self.qty else None
