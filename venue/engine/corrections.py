"""Busts and corrections of fills: the order, the position and the cash follow, and the ledger keeps both rows."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from venue.engine import transitions
from venue.engine.advance import settle_group
from venue.engine.engine import Engine
from venue.engine.history import Trade
from venue.engine.transaction import Accounts, AccountTransaction
from venue.errors import not_found, unprocessable
from venue.models import Change, Order, utc_now


class Corrections:
    """Takes fills back, or puts others in their place."""

    def __init__(self, accounts: Accounts, engine: Engine) -> None:
        self._accounts = accounts
        self._engine = engine

    async def amend(
        self,
        account_id: UUID,
        execution_id: UUID,
        *,
        qty: Decimal | None = None,
        price: Decimal | None = None,
        bust: bool = False,
        reinstate: bool = False,
    ) -> Change:
        """Bust a fill, or correct its quantity, its price or both; returns the ledger row.

        An order that was filled and is not any more is canceled for the rest, unless it is to be
        reinstated. Raises 404 for an execution that is unknown or stands no more, 422 for a quantity that
        the order has no room for, and for an order that was replaced, whose fills count for its successor.
        """
        async with self._accounts.transaction(account_id) as unit:
            order = await _order_of(unit, execution_id)
            history = await unit.load_history(order.symbol)
            old = history.standing(execution_id)
            if old is None:
                raise not_found(f"execution not found for {execution_id}")
            new = None if bust else Trade(uuid4(), old.side, qty or old.qty, price or old.price)
            _check_room(order, old, new)
            kind = "trade_bust" if bust else "trade_correct"
            told = new or old
            row = {"kind": kind, "execution_id": told.execution_id, "side": told.side, "qty": told.qty}
            row |= {"price": told.price, "data": {"previous_execution_id": str(execution_id)}}
            history.apply(row)
            cash_delta = _cash(new) - _cash(old)
            now = utc_now()
            after, change = transitions.amend_trade(order, now, old, new, history.position(), cash_delta)
            unit.change_order(after, change, history.position())
            if order.status == "filled" and after.status != "filled" and not reinstate:
                after, ended = transitions.cancel(after, now, "what was busted is not executed again")
                unit.change_order(after, ended)
            others = await settle_group(unit, after, now) if after.group_id else []
        self._engine.look_after([after, *others])
        return change


async def _order_of(unit: AccountTransaction, execution_id: UUID) -> Order:
    order_id = await unit.find_execution(execution_id)
    loaded = await unit.load_order(order_id) if order_id else None
    if loaded is None:
        raise not_found(f"execution not found for {execution_id}")
    if loaded[0].status == "replaced":
        raise unprocessable("the order was replaced; its fills count for the one that replaced it")
    return loaded[0]


def _check_room(order: Order, old: Trade, new: Trade | None) -> None:
    if new is not None and order.filled_qty - old.qty + new.qty > order.qty:
        raise unprocessable("the corrected quantity is more than the order has")


def _cash(trade: Trade | None) -> Decimal:
    if trade is None:
        return Decimal(0)
    amount = trade.qty * trade.price
    return -amount if trade.side == "buy" else amount
