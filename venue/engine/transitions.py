"""Every way an order changes: the order afterwards, and the ledger row that says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from venue.engine.history import Trade
from venue.models import ZERO, Change, Order, Position
from venue.render import number, optional_number


def accept(order: Order) -> Change:
    """Record a new order with everything it was asked for."""
    return _change("accepted", order, order.created_at, event=order.status, qty=order.qty, data=_terms(order))


def acknowledge(order: Order, at: datetime) -> tuple[Order, Change]:
    """Put an order to work."""
    status = "partially_filled" if order.filled_qty else "new"
    after = replace(order, status=status, updated_at=at)
    return after, _change("new", after, at, event="new")


def trigger(order: Order, at: datetime, last: Decimal) -> tuple[Order, Change]:
    """Elect a stop; from here on it is a market or a limit order.

    The stream does not tell this, except of a held leg, which becomes ``new`` thereby.
    """
    held = order.status == "held"
    after = replace(order, triggered=True, status="new" if held else order.status, updated_at=at)
    data = {"status": after.status, "stop_price": optional_number(order.stop_price)}
    if order.hwm is not None:
        data["hwm"] = number(order.hwm)
    return after, _change("triggered", after, at, event="new" if held else "", price=last, data=data)


def arm(order: Order, at: datetime) -> tuple[Order, Change]:
    """Let a held stop watch the market; its status stays, and the stream does not tell this."""
    after = replace(order, armed=True, updated_at=at)
    return after, _change("armed", after, at)


def resize(order: Order, at: datetime, qty: Decimal) -> tuple[Order, Change]:
    """Adjust a leg to what its sibling has left to do."""
    after = replace(order, qty=qty, updated_at=at)
    return after, _change("restated", after, at, event="restated", qty=qty)


def fill(
    order: Order, at: datetime, qty: Decimal, price: Decimal, position: Position, cash_delta: Decimal
) -> tuple[Order, Change]:
    """Execute a part or all of what is left; ``position`` is the one after the fill."""
    filled = order.filled_qty + qty
    done = filled == order.qty
    after = replace(
        order,
        filled_qty=filled,
        filled_value=order.filled_value + qty * price,
        status="filled" if done else "partially_filled",
        filled_at=at if done else order.filled_at,
        updated_at=at,
        plan_step=order.plan_step + 1,
    )
    change = _change(
        "fill",
        after,
        at,
        event="fill" if done else "partial_fill",
        qty=qty,
        price=price,
        cash_delta=cash_delta,
        position_qty=position.qty,
        data={
            "cum_qty": number(filled),
            "leaves_qty": number(after.leaves_qty),
            "position_qty": number(position.qty),
            "position_cost": number(position.cost),
            "status": after.status,
        },
    )
    return after, change


def amend_trade(
    order: Order, at: datetime, old: Trade, new: Trade | None, position: Position, cash_delta: Decimal
) -> tuple[Order, Change]:
    """Bust a trade, or put a corrected one in its place; ``position`` is the one after it.

    An order that was filled has something left again, and an open one more or less of it.
    """
    qty, price = (new.qty, new.price) if new else (ZERO, ZERO)
    filled = order.filled_qty - old.qty + qty
    value = order.filled_value - old.qty * old.price + qty * price
    status = order.status
    if status in ("new", "partially_filled", "filled"):
        status = "filled" if filled == order.qty else "partially_filled" if filled else "new"
    after = replace(
        order,
        filled_qty=filled,
        filled_value=value,
        status=status,
        filled_at=(order.filled_at or at) if status == "filled" else None,
        updated_at=at,
    )
    kind = "trade_correct" if new else "trade_bust"
    data = {
        "previous_execution_id": str(old.execution_id),
        "previous_qty": number(old.qty),
        "previous_price": number(old.price),
        "cum_qty": number(filled),
        "leaves_qty": number(after.leaves_qty),
        "position_qty": number(position.qty),
        "position_cost": number(position.cost),
        "status": after.status,
    }
    told = new or old
    change = _change(
        kind,
        after,
        at,
        event=kind,
        qty=told.qty,
        price=told.price,
        cash_delta=cash_delta,
        position_qty=position.qty,
        previous_execution_id=old.execution_id,
        reason="" if new else "TRADE_BUST",
        data=data,
    )
    return after, replace(change, execution_id=new.execution_id) if new else change


def cancel(order: Order, at: datetime, reason: str, told: str = "") -> tuple[Order, Change]:
    """Take an order out of the market; ``told`` is the reason that the stream gives."""
    after = replace(order, status="canceled", canceled_at=at, updated_at=at)
    return after, _change("canceled", after, at, event="canceled", reason=told, data={"reason": reason})


def expire(order: Order, at: datetime) -> tuple[Order, Change]:
    """End an order whose time in force has run out."""
    after = replace(order, status="expired", expired_at=at, updated_at=at)
    return after, _change("expired", after, at, event="expired")


def reject(order: Order, at: datetime, reason: str) -> tuple[Order, Change]:
    """End an order that was accepted but cannot be executed."""
    after = replace(order, status="rejected", failed_at=at, updated_at=at)
    return after, _change("rejected", after, at, event="rejected", reason=reason, data={"reason": reason})


def rest_for_day(order: Order, at: datetime) -> tuple[Order, Change]:
    """Put an order that outlives the session to sleep until the next one."""
    after = replace(order, status="done_for_day", updated_at=at)
    return after, _change("done_for_day", after, at, event="done_for_day")


def supersede(order: Order, at: datetime, replaced_by: UUID) -> tuple[Order, Change]:
    """End an order in favour of the one that replaces it."""
    after = replace(order, status="replaced", replaced_at=at, replaced_by=replaced_by, updated_at=at)
    data = {"replaced_by": str(replaced_by)}
    return after, _change("replaced", after, at, event="replaced", data=data)


def _change(kind: str, order: Order, at: datetime, **facts: Any) -> Change:
    event = facts.pop("event", "")
    return Change(
        kind=kind,
        account_id=order.account_id,
        at=at,
        order=order,
        event=event,
        # Alpaca gives every event of the stream an execution id, not only the fills.
        execution_id=uuid4() if event else None,
        cash_delta=facts.pop("cash_delta", ZERO),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        **facts,
    )


def _terms(order: Order) -> dict[str, Any]:
    return {
        "type": order.type,
        "time_in_force": order.time_in_force,
        "limit_price": optional_number(order.limit_price),
        "stop_price": optional_number(order.stop_price),
        "notional": optional_number(order.notional),
        "extended_hours": order.extended_hours,
        "replaces": str(order.replaces) if order.replaces else None,
        "filled_qty": number(order.filled_qty),
        "status": order.status,
        **({} if order.is_plain else _more_terms(order)),
    }


def _more_terms(order: Order) -> dict[str, Any]:
    """Return what only orders of a group, trailing stops and outside orders have."""
    terms = {
        "order_class": order.order_class,
        "leg": order.leg,
        "group_id": str(order.group_id) if order.group_id else None,
        "armed": order.armed,
        "trail_price": optional_number(order.trail_price),
        "trail_percent": optional_number(order.trail_percent),
        "hwm": optional_number(order.hwm),
        "source": order.source if order.source != "access_key" else None,
    }
    return {name: value for name, value in terms.items() if value}
