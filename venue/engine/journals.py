"""Journal entries: the broker's own office moves shares into an account or out of it, against cash, without an order.

Source: Alpaca's account activities, type JNLS.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from venue.engine.positions import apply_fill
from venue.engine.transaction import Accounts
from venue.models import Change, Position, utc_now
from venue.render import number


class Journals:
    """Moves shares by hand."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def move(self, account_id: UUID, symbol: str, side: str, qty: Decimal, price: Decimal) -> Position:
        """Book ``qty`` shares in (``buy``) or out (``sell``) at a price, and return what is held afterwards."""
        async with self._accounts.transaction(account_id) as unit:
            holdings = await unit.load_holdings()
            after, cash_delta = apply_fill(holdings.position(symbol), side, qty, price)
            change = Change(
                kind="journal",
                account_id=account_id,
                at=utc_now(),
                execution_id=uuid4(),
                symbol=symbol,
                side=side,
                qty=qty,
                price=price,
                cash_delta=cash_delta,
                data={"position_qty": number(after.qty), "position_cost": number(after.cost)},
            )
            unit.move_position(after, change)
        return after
