"""Read the paper exchange's own ledger, straight from its database.

From the database and not over HTTP, so that the books can be compared while the venue is down.
Orders come from the append-only ``ledger`` table alone (what was accepted, what was filled and
neither busted nor corrected since); only their present status is read from ``orders``, which the
venue changes as it works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import psycopg


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One execution that stands: a correction has taken the place of what it corrects."""

    execution_id: str
    qty: Decimal
    price: Decimal
    at: datetime  # aware UTC


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order that the venue has accepted."""

    broker_order_id: str
    account_id: str
    client_order_id: str
    symbol: str
    side: str  # "buy" or "sell"
    qty: Decimal
    status: str  # Alpaca's word
    accepted_at: datetime  # aware UTC
    replaces: str | None  # broker order id of the order whose place it has taken
    fills: tuple[VenueFill, ...]

    @property
    def filled_qty(self) -> Decimal:
        """Add up the fills."""
        return sum((fill.qty for fill in self.fills), Decimal(0))

    @property
    def avg_price(self) -> Decimal | None:
        """Average the fills by quantity; None without any."""
        filled = self.filled_qty
        if not filled:
            return None
        return sum((fill.qty * fill.price for fill in self.fills), Decimal(0)) / filled


@dataclass(frozen=True, slots=True)
class VenueHolding:
    """What an account holds of one symbol after its fills, their busts and corrections, splits and journal entries."""

    account_id: str
    symbol: str
    qty: Decimal  # signed: short is negative
    cash: Decimal  # what its trades have brought in, less what they cost


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What the venue has accepted for some accounts, in the order in which it did, and what that adds up to."""

    orders: tuple[VenueOrder, ...]
    holdings: tuple[VenueHolding, ...] = ()

    def by_client_order_id(self) -> dict[tuple[str, str], list[VenueOrder]]:
        """Group by (account id, client order id); more than one order in a group is a duplicate."""
        groups: dict[tuple[str, str], list[VenueOrder]] = {}
        for order in self.orders:
            groups.setdefault((order.account_id, order.client_order_id), []).append(order)
        return groups


_ORDERS = """
SELECT ledger.order_id, ledger.account_id, ledger.client_order_id, ledger.symbol, ledger.side,
       coalesce(orders.qty, ledger.qty), orders.status, ledger.at, ledger.data ->> 'replaces'
  FROM ledger LEFT JOIN orders ON orders.id = ledger.order_id
 WHERE ledger.kind = 'accepted' AND ledger.account_id = ANY(%s)
 ORDER BY ledger.seq
"""
_FILLS = """
SELECT order_id, execution_id, qty, price, at
  FROM ledger AS told
 WHERE kind IN ('fill', 'trade_correct') AND account_id = ANY(%s)
   AND NOT EXISTS (
       SELECT FROM ledger AS later
        WHERE later.account_id = told.account_id AND later.kind IN ('trade_bust', 'trade_correct')
          AND later.data ->> 'previous_execution_id' = told.execution_id::text)
 ORDER BY seq
"""
# Each row says what is held after it. Adding up its quantities would not do: a split multiplies what came before it.
_HOLDINGS = """
SELECT account_id, symbol, (array_agg((data ->> 'position_qty')::numeric ORDER BY seq DESC))[1], sum(cash_delta)
  FROM ledger
 WHERE kind IN ('fill', 'trade_bust', 'trade_correct', 'split', 'journal') AND account_id = ANY(%s)
 GROUP BY account_id, symbol
"""


def read_ledger(conninfo: str, account_ids: Iterable[str]) -> LedgerView:
    """Read all orders and fills of these accounts as of one moment; changes nothing.

    ``account_ids`` are the venue's account ids (UUIDs). Raises ``psycopg.Error`` where the venue's
    database cannot be read.
    """
    ids = [UUID(account_id) for account_id in account_ids]
    with psycopg.connect(conninfo, connect_timeout=10) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            connection.execute("SET LOCAL TIME ZONE 'UTC'")
            order_rows = connection.execute(_ORDERS, (ids,)).fetchall()
            fill_rows = connection.execute(_FILLS, (ids,)).fetchall()
            holding_rows = connection.execute(_HOLDINGS, (ids,)).fetchall()
    fills: dict[UUID, list[VenueFill]] = {}
    for order_id, execution_id, qty, price, at in fill_rows:
        fills.setdefault(order_id, []).append(VenueFill(str(execution_id), qty, price, at))
    orders = tuple(
        VenueOrder(
            broker_order_id=str(order_id),
            account_id=str(account_id),
            client_order_id=client_order_id,
            symbol=symbol,
            side=side,
            qty=qty,
            status=status or "",
            accepted_at=at,
            replaces=replaces,
            fills=tuple(fills.get(order_id, ())),
        )
        for order_id, account_id, client_order_id, symbol, side, qty, status, at, replaces in order_rows
    )
    holdings = (VenueHolding(str(account_id), *rest) for account_id, *rest in holding_rows)
    return LedgerView(orders, tuple(holdings))
