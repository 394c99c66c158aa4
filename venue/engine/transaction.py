"""One account's unit of work: lock, read, decide, write, commit, then tell the stream.

Two locks keep cash and positions from racing: an asyncio lock keeps the account's own requests in line
without holding a connection, and the row lock holds against anything that does not know the first. Reads and
writes go out in pipelines, so a unit costs two round trips and one commit.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import args_row, dict_row
from psycopg.types.json import Jsonb

from venue.db import Connection, Pool
from venue.engine.history import KINDS, History
from venue.models import Account, Change, Order, Position, columns

ACCOUNT_COLUMNS = columns(Account)
ORDER_COLUMNS = columns(Order)
OPEN = "status IN ('accepted', 'pending_new', 'new', 'partially_filled', 'done_for_day')"
LIVE = "status IN ('accepted', 'pending_new', 'new', 'partially_filled', 'done_for_day', 'held')"

_MUTABLE = (
    "status", "updated_at", "filled_qty", "filled_value", "filled_at", "expired_at", "canceled_at",
    "failed_at", "replaced_at", "replaced_by", "triggered", "plan_step",
)  # fmt: skip
# Plain orders, nearly all of them, neither have nor change what only legs and trailing stops do.
_MUTABLE_ALL = (*_MUTABLE, "qty", "armed", "hwm", "stop_price")
_ORDER_FIELDS = tuple(ORDER_COLUMNS.split(", "))
_PLAIN_FIELDS = _ORDER_FIELDS[: _ORDER_FIELDS.index("order_class")]


# What is put together here are names of columns, constants all; every value is a parameter.
def _insert(names: tuple[str, ...]) -> str:
    return f"INSERT INTO orders ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608


def _update(names: tuple[str, ...]) -> str:
    return f"UPDATE orders SET {', '.join(f'{name} = %s' for name in names)} WHERE id = %s"  # noqa: S608


_INSERT_PLAIN, _INSERT_ORDER = _insert(_PLAIN_FIELDS), _insert(_ORDER_FIELDS)
_UPDATE_PLAIN, _UPDATE_ORDER = _update(_MUTABLE), _update(_MUTABLE_ALL)
_LOCK_ORDER = f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = %s AND account_id = %s FOR UPDATE"  # noqa: S608
_READ_ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = %s"  # noqa: S608
_LOCK_ACCOUNT = f"{_READ_ACCOUNT} FOR UPDATE"
_OPEN_ORDERS = f"SELECT {ORDER_COLUMNS} FROM orders WHERE account_id = %s AND {OPEN} ORDER BY number"  # noqa: S608
_GROUP = f"SELECT {ORDER_COLUMNS} FROM orders WHERE group_id = %s AND status <> 'replaced' ORDER BY number"  # noqa: S608
_POSITIONS = (
    "SELECT account_id, symbol, qty, cost FROM position WHERE account_id = %s AND qty <> 0 ORDER BY symbol"
)
_CLIENT_ORDER_ID_KNOWN = "SELECT EXISTS (SELECT FROM orders WHERE account_id = %s AND client_order_id = %s)"
_INSERT_LEDGER = (
    "INSERT INTO ledger (at, account_id, kind, order_id, client_order_id, execution_id, symbol, side, qty,"
    " price, cash_delta, data) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_UPSERT_POSITION = (
    "INSERT INTO position (account_id, symbol, qty, cost) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (account_id, symbol) DO UPDATE SET qty = excluded.qty, cost = excluded.cost"
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What has to be known of an account before an order is let in."""

    account: Account
    positions: dict[str, Position]
    open_orders: list[Order]
    client_order_id_known: bool = False

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, flat if there is none."""
        return self.positions.get(symbol) or Position(self.account.id, symbol)


class AccountTransaction:
    """Reads of one locked account, and the writes that will be made together."""

    def __init__(self, connection: Connection, account_id: UUID) -> None:
        self.account_id = account_id
        self.changes: list[Change] = []
        self._connection = connection
        self._new_orders: list[Order] = []
        self._orders: dict[UUID, Order] = {}
        self._positions: dict[str, Position] = {}

    async def load_holdings(self, client_order_id: str = "") -> Holdings:
        """Lock the account and read all that buying power depends on."""
        return await _read_holdings(self._connection, self.account_id, client_order_id, lock=True)

    async def load_order(self, order_id: UUID) -> tuple[Order, Position] | None:
        """Lock the account and one of its orders, and read the position in its symbol."""
        await self._connection.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", (self.account_id,))
        orders = await self._connection.cursor(row_factory=args_row(Order)).execute(
            _LOCK_ORDER, (order_id, self.account_id)
        )
        positions = await self._connection.cursor(row_factory=args_row(Position)).execute(
            "SELECT account_id, symbol, qty, cost FROM position WHERE account_id = %s"
            " AND symbol = (SELECT symbol FROM orders WHERE id = %s)",
            (self.account_id, order_id),
        )
        order = await orders.fetchone()
        if order is None:
            return None
        return order, await positions.fetchone() or Position(self.account_id, order.symbol)

    async def load_group(self, order: Order) -> list[Order]:
        """Read the other orders of an order's group, as this unit leaves them; what was replaced is gone."""
        if order.group_id is None:
            return []
        cursor = await self._connection.cursor(row_factory=args_row(Order)).execute(_GROUP, (order.group_id,))
        others = [self._orders.get(other.id, other) for other in await cursor.fetchall()]
        return [other for other in others if other.id != order.id]

    async def find_execution(self, execution_id: UUID) -> UUID | None:
        """Return the order that a fill or a correction of this account belongs to."""
        cursor = await self._connection.execute(
            "SELECT order_id FROM ledger WHERE account_id = %s AND execution_id = %s"
            " AND kind IN ('fill', 'trade_correct')",
            (self.account_id, execution_id),
        )
        row = await cursor.fetchone()
        return row[0] if row else None

    async def load_history(self, symbol: str) -> History:
        """Read all that ever moved the holding in a symbol."""
        cursor = await self._connection.cursor(row_factory=dict_row).execute(
            "SELECT kind, execution_id, side, qty, price, data FROM ledger"
            " WHERE account_id = %s AND symbol = %s AND kind = ANY(%s) ORDER BY seq",
            (self.account_id, symbol, list(KINDS)),
        )
        history = History(self.account_id, symbol)
        for row in await cursor.fetchall():
            history.apply(row)
        return history

    async def set_flags(self, flags: dict[str, Any]) -> bool:
        """Change flags of the account, named by column; returns whether the account exists."""
        assignments = ", ".join(f"{name} = %s" for name in flags)
        cursor = await self._connection.execute(
            f"UPDATE account SET {assignments} WHERE id = %s RETURNING id",  # noqa: S608 - names, not values
            (*flags.values(), self.account_id),
        )
        return await cursor.fetchone() is not None

    def add_order(self, order: Order, change: Change) -> None:
        """Insert a new order with its ledger row."""
        self._new_orders.append(order)
        self.changes.append(change)

    def change_order(self, order: Order, change: Change, position: Position | None = None) -> None:
        """Write an order as it now is, its ledger row, and the position that the change moved."""
        self._orders[order.id] = order
        self.changes.append(change)
        if position is not None:
            self._positions[position.symbol] = position

    def record(self, change: Change) -> None:
        """Write a ledger row that touches no order."""
        self.changes.append(change)

    def move_position(self, position: Position, change: Change) -> None:
        """Write a position that no order moved, with its ledger row."""
        self._positions[position.symbol] = position
        self.changes.append(change)

    async def write(self) -> None:
        """Send all writes; the caller's transaction commits them."""
        execute = self._connection.execute
        for order in self._new_orders:
            plain = order.is_plain
            names = _PLAIN_FIELDS if plain else _ORDER_FIELDS
            await execute(_INSERT_PLAIN if plain else _INSERT_ORDER, _order_values(order, names))
        for order in self._orders.values():
            plain = order.is_plain
            changed = _order_values(order, _MUTABLE if plain else _MUTABLE_ALL)
            await execute(_UPDATE_PLAIN if plain else _UPDATE_ORDER, (*changed, order.id))
        for change in self.changes:
            await execute(_INSERT_LEDGER, _ledger_values(change))
        for position in self._positions.values():
            values = (position.account_id, position.symbol, position.qty, position.cost)
            await execute(_UPSERT_POSITION, values)
        cash = sum(change.cash_delta for change in self.changes)
        if cash:
            await execute("UPDATE account SET cash = cash + %s WHERE id = %s", (cash, self.account_id))


class Accounts:
    """Opens units of work, one at a time for each account."""

    def __init__(self, pool: Pool, publish: Callable[[UUID, Sequence[Change]], None]) -> None:
        self._pool = pool
        self._publish = publish
        self._locks: defaultdict[UUID, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def transaction(self, account_id: UUID) -> AsyncIterator[AccountTransaction]:
        """Run a unit of work; it commits at the end of the block and rolls back on an exception.

        The stream is told after the commit and before the account's next unit, in the ledger's order.
        """
        async with self._locks[account_id]:
            async with self._pool.connection() as connection:
                async with connection.pipeline(), connection.transaction():
                    unit = AccountTransaction(connection, account_id)
                    yield unit
                    await unit.write()
            self._publish(account_id, unit.changes)

    async def holdings(self, account_id: UUID) -> Holdings:
        """Read an account without locking it."""
        async with self._pool.connection() as connection, connection.pipeline():
            return await _read_holdings(connection, account_id, "", lock=False)


async def _read_holdings(
    connection: Connection, account_id: UUID, client_order_id: str, *, lock: bool
) -> Holdings:
    # Separate statements: each sees what was committed while the first one waited for the row lock.
    accounts = await connection.cursor(row_factory=args_row(Account)).execute(
        _LOCK_ACCOUNT if lock else _READ_ACCOUNT, (account_id,)
    )
    positions = await connection.cursor(row_factory=args_row(Position)).execute(_POSITIONS, (account_id,))
    orders = await connection.cursor(row_factory=args_row(Order)).execute(_OPEN_ORDERS, (account_id,))
    known = await connection.execute(_CLIENT_ORDER_ID_KNOWN, (account_id, client_order_id))
    account = await accounts.fetchone()
    if account is None:
        raise LookupError(f"account {account_id} vanished")
    row = await known.fetchone()
    return Holdings(
        account=account,
        positions={position.symbol: position for position in await positions.fetchall()},
        open_orders=await orders.fetchall(),
        client_order_id_known=bool(row and row[0]),
    )


def _order_values(order: Order, names: tuple[str, ...]) -> list[object]:
    values = [getattr(order, name) for name in names]
    return [Jsonb(value) if isinstance(value, dict) else value for value in values]


def _ledger_values(change: Change) -> tuple[object, ...]:
    order_id = change.order.id if change.order else None
    return (
        change.at, change.account_id, change.kind, order_id, change.client_order_id, change.execution_id,
        change.symbol, change.side, change.qty, change.price, change.cash_delta, Jsonb(change.data or {}),
    )  # fmt: skip
