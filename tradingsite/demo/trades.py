"""A closed trade, from its executions alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution; ``side`` is BUY or SELL, ``at`` aware UTC by the broker's clock."""

    exec_id: str
    side: str
    qty: Decimal
    px: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """A long position from its first buy to the sale of its last share."""

    qty: Decimal
    entry_px: Decimal
    exit_px: Decimal
    pnl: Decimal
    held: timedelta


def closed_trade(fills: Sequence[Fill]) -> ClosedTrade:
    """Add up a long trade. Raises ``ValueError`` where it is not closed, or a fill is there twice."""
    if len({fill.exec_id for fill in fills}) != len(fills):
        raise ValueError("an execution is there twice")
    bought = [fill for fill in fills if fill.side == "BUY"]
    sold = [fill for fill in fills if fill.side == "SELL"]
    qty, left = _quantity(bought), _quantity(bought) - _quantity(sold)
    if not qty or left:
        raise ValueError(f"{left} of {qty} are still open")
    cost, proceeds = _amount(bought), _amount(sold)
    return ClosedTrade(
        qty=qty,
        entry_px=cost / qty,
        exit_px=proceeds / qty,
        pnl=proceeds - cost,
        held=max(fill.at for fill in sold) - min(fill.at for fill in bought),
    )


def _quantity(fills: Iterable[Fill]) -> Decimal:
    return sum((fill.qty for fill in fills), Decimal(0))


def _amount(fills: Iterable[Fill]) -> Decimal:
    return sum((fill.qty * fill.px for fill in fills), Decimal(0))
