"""Stock splits: positions are counted anew, open orders end, the price follows.

Source: Alpaca's changelog of trade events (a cancel with the reason CORPORATE_ACTION) and "Orders at Alpaca":
the orders of a group carry a do-not-reduce, do-not-cancel instruction and stay as they are.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from venue.db import Pool
from venue.engine import transitions
from venue.engine.engine import Engine
from venue.engine.positions import apply_split
from venue.engine.transaction import OPEN, Accounts
from venue.models import Change, Order, Position, utc_now
from venue.render import number

_CONCERNED = f"""
    SELECT account_id FROM position WHERE symbol = %(symbol)s AND qty <> 0
    UNION SELECT account_id FROM orders WHERE symbol = %(symbol)s AND {OPEN}
"""  # noqa: S608 - a constant


class Splits:
    """Splits a symbol for every account that has to do with it."""

    def __init__(self, pool: Pool, accounts: Accounts, engine: Engine) -> None:
        self._pool = pool
        self._accounts = accounts
        self._engine = engine

    async def split(self, symbol: str, old: Decimal, new: Decimal) -> int:
        """Give ``new`` shares for each ``old`` ones, and return the number of accounts concerned.

        The symbol is halted meanwhile. Each account is one transaction; a process that dies in between has
        split only some of them.
        """
        was_halted = symbol in self._engine.halted
        self._engine.halted.add(symbol)
        try:
            accounts = await self._concerned(symbol)
            for account_id in accounts:
                self._engine.look_after(await self._split_account(account_id, symbol, old, new))
            self._engine.market.scale(symbol, old / new)
        finally:
            if not was_halted:
                await self._engine.resume(symbol)
        return len(accounts)

    async def _concerned(self, symbol: str) -> list[UUID]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_CONCERNED, {"symbol": symbol})
            return [row[0] for row in await cursor.fetchall()]

    async def _split_account(self, account_id: UUID, symbol: str, old: Decimal, new: Decimal) -> list[Order]:
        ended: list[Order] = []
        async with self._accounts.transaction(account_id) as unit:
            holdings = await unit.load_holdings()
            for order in holdings.open_orders:
                if order.symbol == symbol and not order.order_class:
                    order, change = transitions.cancel(order, utc_now(), "split", told="CORPORATE_ACTION")
                    unit.change_order(order, change)
                    ended.append(order)
            before = holdings.position(symbol)
            if before.qty:
                after = apply_split(before, old, new)
                unit.move_position(after, _row(before, after, old, new))
        return ended


def _row(before: Position, after: Position, old: Decimal, new: Decimal) -> Change:
    return Change(
        kind="split",
        account_id=before.account_id,
        at=utc_now(),
        execution_id=uuid4(),
        symbol=before.symbol,
        qty=after.qty - before.qty,
        data={
            "old": number(old),
            "new": number(new),
            "position_qty": number(after.qty),
            "position_cost": number(after.cost),
        },
    )
