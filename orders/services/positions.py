"""Keep positions: executions are booked in the transaction that records them, into position and trade journal.

Lock order: the order's row, then the position's; the journal's rows are changed only under the position's lock.
"""

import uuid
from collections.abc import Iterable, Sequence

from django.db import transaction

from brokers.types import Side
from orders.models import Execution, Order, Position, Trade
from orders.positions import Books, ExecutionRow, Fill, PositionState, book, fold, surviving
from orders.rows import columns_of, fetch_rows, update_row
from orders.services.journal import open_trade_of, rewrite_trips, trip_of, write_trips
from orders.services.marks import MARK_COLUMNS, follow_books

# The row is made where it is not there yet, and locked either way.
LOCK_POSITION = f"""
INSERT INTO orders_position
    (user_id, account_id, symbol, qty, cost, realized_pnl, fees, cash, booked_exec_id, protected, updated_at)
VALUES (%s, %s, %s, 0, 0, 0, 0, 0, '', false, now())
ON CONFLICT (account_id, symbol) DO UPDATE SET symbol = excluded.symbol
RETURNING {columns_of(Position)}
"""  # noqa: S608 - names of our own columns
STATE = ("qty", "cost", "realized_pnl", "fees", "cash")


def book_executions(order: Order, executions: Sequence[Execution], plain: Iterable[str]) -> Position:
    """Book executions of a locked order that were recorded just now; return the position, locked.

    ``plain`` are the exec ids of fills that count as they came. Such a fill, where it is newer than all that is
    booked, is added. Whatever else came (a correction, a bust, a late fill) has position and journal made anew from
    all executions: the books are the same in whatever order these come.
    """
    position = lock_position(order.user_id, order.account_id, order.symbol)
    position.protected = position.protected or order.protection is not None
    trade = open_trade_of(position)
    if position.qty and trade is None:
        make_anew(position)
        return position
    books, counted = _load(position, trade), frozenset(plain)
    for execution in executions:
        fill = fill_of(execution) if execution.exec_id in counted else None
        if fill is None or not books.is_followed_by(fill):
            make_anew(position)
            return position
        books = book(books, fill)
    _save(position, books)
    write_trips(order, trade, books)
    return position


def lock_position(user_id: int, account_id: uuid.UUID, symbol: str) -> Position:
    """Return the account's position in the symbol, its row locked to the end of the transaction."""
    return fetch_rows(Position, LOCK_POSITION, [user_id, account_id, symbol])[0]


def make_anew(position: Position) -> None:
    """Make a locked position and its journal anew from every execution of the account in the symbol."""
    rows = Execution.objects.filter(account=position.account_id, symbol=position.symbol)
    books = books_of(rows)
    _save(position, books)
    rewrite_trips(position, books)


def books_of(executions: Iterable[Execution]) -> Books:
    """Return what the executions of one account and symbol make: the truth that position and journal project."""
    return fold(surviving(_row_of(execution) for execution in executions))


def make_all_anew() -> int:
    """Make every position and journal anew, each in a transaction of its own; return how many."""
    places = (
        Execution.objects.order_by("account", "symbol").values_list("user", "account", "symbol").distinct()
    )
    for user_id, account_id, symbol in places:
        with transaction.atomic():
            make_anew(lock_position(user_id, account_id, symbol))
    return len(places)


def fill_of(execution: Execution) -> Fill:
    return Fill(
        execution.exec_id,
        execution.order_id,
        Side(execution.side),
        execution.last_qty,
        execution.last_px,
        execution.transact_time,
        execution.fee,
    )


def state_of_position(position: Position) -> PositionState:
    return PositionState(**{name: getattr(position, name) for name in STATE})


def _load(position: Position, trade: Trade | None) -> Books:
    last = None if position.booked_at is None else (position.booked_at, position.booked_exec_id)
    return Books(state_of_position(position), trip_of(trade) if trade is not None else None, last=last)


def _save(position: Position, books: Books) -> None:
    for name in STATE:
        setattr(position, name, getattr(books.position, name))
    position.booked_at, position.booked_exec_id = books.last or (None, "")
    columns = [*STATE, "booked_at", "booked_exec_id", "protected", "updated_at"]
    if position.valued_at is not None:
        follow_books(position)
        columns += MARK_COLUMNS
    update_row(position, columns)


def _row_of(execution: Execution) -> ExecutionRow:
    return ExecutionRow(
        execution.exec_id,
        execution.exec_ref_id,
        execution.exec_type,
        execution.order_id,
        execution.side,
        execution.last_qty,
        execution.last_px,
        execution.transact_time,
        execution.fee,
    )
