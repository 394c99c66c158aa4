"""Hold the venue's tables against its ledger: ``python -m venue.audit``.

The ledger alone says what cash, positions and orders have to be; a difference means that something was
written without its row, or not at all.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from venue.engine.history import KINDS, History
from venue.models import ZERO, Position
from venue.settings import SettingsError, load_settings

_ENDS = {"canceled", "expired", "rejected", "replaced", "done_for_day"}


@dataclass(slots=True)
class Books:
    """What the ledger adds up to."""

    cash: defaultdict[UUID, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    histories: dict[tuple[UUID, str], History] = field(default_factory=dict)
    filled: dict[UUID, Decimal] = field(default_factory=dict)
    status: dict[UUID, str] = field(default_factory=dict)

    def apply(self, row: dict[str, Any]) -> None:
        """Take one ledger row into account; rows come in sequence."""
        self.cash[row["account_id"]] += row["cash_delta"]
        order_id, kind = row["order_id"], row["kind"]
        if kind == "accepted":
            self.filled[order_id] = Decimal(row["data"]["filled_qty"])
            self.status[order_id] = row["data"]["status"]
        elif kind == "new":
            self.status[order_id] = "partially_filled" if self.filled[order_id] else "new"
        elif kind in _ENDS:
            self.status[order_id] = kind
        elif kind == "triggered":
            # Rows of older ledgers do not say it, and those orders had no status to lose.
            self.status[order_id] = row["data"].get("status", self.status[order_id])
        elif kind == "fill":
            self.filled[order_id] += row["qty"]
            self.status[order_id] = row["data"]["status"]
        elif kind in ("trade_bust", "trade_correct"):
            standing = row["qty"] if kind == "trade_correct" else ZERO
            self.filled[order_id] += standing - Decimal(row["data"]["previous_qty"])
            self.status[order_id] = row["data"]["status"]
        if kind in KINDS:
            key = (row["account_id"], row["symbol"])
            self.histories.setdefault(key, History(*key)).apply(row)

    def positions(self) -> dict[tuple[UUID, str], Position]:
        """Add up what every account holds."""
        return {key: history.position() for key, history in self.histories.items()}


def replay(rows: Iterable[dict[str, Any]]) -> Books:
    """Add up ledger rows from the first one on."""
    books = Books()
    for row in rows:
        books.apply(row)
    return books


def differences(database_url: str) -> list[str]:
    """Return a line for everything in the tables that the ledger does not explain, read in one snapshot."""
    with psycopg.connect(database_url, row_factory=psycopg.rows.dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with connection.cursor("ledger") as cursor:
            cursor.execute("SELECT * FROM ledger ORDER BY seq")
            books = replay(cursor)
        accounts = {row["id"]: row["cash"] for row in connection.execute("SELECT id, cash FROM account")}
        positions = {
            (row["account_id"], row["symbol"]): (row["qty"], row["cost"])
            for row in connection.execute("SELECT * FROM position")
        }
        orders = {
            row["id"]: (row["filled_qty"], row["status"])
            for row in connection.execute("SELECT id, filled_qty, status FROM orders")
        }
    expected_positions = {key: (held.qty, held.cost) for key, held in books.positions().items()}
    expected_orders = {key: (filled, books.status[key]) for key, filled in books.filled.items()}
    return [
        *_compare("cash of", accounts, books.cash, ZERO),
        *_compare("position", positions, expected_positions, (ZERO, ZERO)),
        *_compare("order", orders, expected_orders, None),
    ]


def _compare(what: str, found: dict[Any, Any], expected: dict[Any, Any], absent: Any) -> list[str]:
    return [
        f"{what} {key}: {found.get(key, absent)}, by the ledger {expected.get(key, absent)}"
        for key in sorted({*found, *expected}, key=str)
        if found.get(key, absent) != expected.get(key, absent)
    ]


def main() -> int:
    """Print the differences; exit status 1 if there are any."""
    try:
        lines = differences(load_settings().database_url)
    except (SettingsError, psycopg.Error) as error:
        sys.stderr.write(f"venue: cannot audit: {error}\n")
        return 2
    sys.stdout.write(("\n".join(lines) or "venue: the ledger explains everything") + "\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
