"""What became of one holding, event by event, so that a correction can be counted where its trade stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from venue.engine.positions import apply_fill, apply_split
from venue.models import Position

KINDS = ("fill", "trade_bust", "trade_correct", "split", "journal")
"""The kinds of ledger rows that move a holding."""


@dataclass(frozen=True, slots=True)
class Trade:
    """An execution that stands."""

    execution_id: UUID
    side: str
    qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """``new`` shares for each ``old`` ones."""

    old: Decimal
    new: Decimal


class History:
    """The events of one account's holding in one symbol, from the first one on."""

    def __init__(self, account_id: UUID, symbol: str) -> None:
        self._flat = Position(account_id, symbol)
        self._events: list[Trade | Split] = []

    def apply(self, row: Mapping[str, Any]) -> None:
        """Take in a ledger row of one of the KINDS; rows come in sequence."""
        if row["kind"] == "split":
            self._events.append(Split(Decimal(row["data"]["old"]), Decimal(row["data"]["new"])))
            return
        trade = Trade(row["execution_id"], row["side"], row["qty"], row["price"])
        if row["kind"] in ("fill", "journal"):
            self._events.append(trade)
            return
        place = self._place(UUID(row["data"]["previous_execution_id"]))
        self._events[place : place + 1] = [trade] if row["kind"] == "trade_correct" else []

    def standing(self, execution_id: UUID) -> Trade | None:
        """Return a trade that was neither busted nor corrected since."""
        return next(
            (t for t in self._events if isinstance(t, Trade) and t.execution_id == execution_id), None
        )

    def position(self) -> Position:
        """Add the events up."""
        position = self._flat
        for event in self._events:
            if isinstance(event, Split):
                position = apply_split(position, event.old, event.new)
            else:
                position, _ = apply_fill(position, event.side, event.qty, event.price)
        return position

    def _place(self, execution_id: UUID) -> int:
        for place, event in enumerate(self._events):
            if isinstance(event, Trade) and event.execution_id == execution_id:
                return place
        raise LookupError(f"execution {execution_id} does not stand")
