"""Brackets, OCO and OTO: the legs of a new group, and what the fate of one order does to the others. Pure.

Source: Alpaca's "Orders at Alpaca". The legs wait, held, until the entry is filled in full. Then the
take-profit goes to work and the stop-loss stays held and watches the market. Whichever comes first ends the
other; a partial fill of the take-profit cuts the stop-loss down to what is left; and when any order of the
group is canceled, whatever of it is still open is canceled too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from venue.engine import transitions
from venue.engine.requests import Exit, Ticket
from venue.models import ZERO, Change, Order

Step = tuple[Order, Change]
_ENDED_UNFILLED = ("canceled", "expired", "rejected")


def join(order: Order, ticket: Ticket, plans: dict[str, dict[str, Any]]) -> tuple[Order, list[Order]]:
    """Make a ticket's order the first of its group, and return it with its legs."""
    if not ticket.order_class:
        return order, []
    leg = "take_profit" if ticket.order_class == "oco" else "entry"
    main = replace(order, order_class=ticket.order_class, group_id=order.id, leg=leg)
    side = order.side if leg == "take_profit" else {"buy": "sell", "sell": "buy"}[order.side]
    exits = {"take_profit": ticket.take_profit, "stop_loss": ticket.stop_loss}
    legs = [
        _leg(main, name, side, terms, plans.get(name))
        for name, terms in exits.items()
        if terms is not None and name != leg
    ]
    return main, legs


def _leg(main: Order, name: str, side: str, terms: Exit, plan: dict[str, Any] | None) -> Order:
    stop_type = "stop" if terms.limit_price is None else "stop_limit"
    return replace(
        main,
        id=uuid4(),
        client_order_id=str(uuid4()),
        enforce_unique_id=True,
        leg=name,
        side=side,
        type="limit" if name == "take_profit" else stop_type,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        status="held",
        # An OCO's stop has no entry to wait for.
        armed=main.leg == "take_profit",
        position_intent=f"{side}_to_close",
        reserve_price=ZERO,
        fill_plan=plan,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """The orders of one group by leg; a leg that the group does not have is None."""

    entry: Order | None = None
    take_profit: Order | None = None
    stop_loss: Order | None = None

    @classmethod
    def of(cls, orders: Sequence[Order]) -> Group:
        """Sort orders by their legs."""
        return cls(**{order.leg: order for order in orders if order.leg})

    def orders(self) -> list[Order]:
        """List the orders, the entry first."""
        return [order for order in (self.entry, self.take_profit, self.stop_loss) if order is not None]


def consequences(orders: Sequence[Order], at: datetime) -> list[Step]:
    """Return the steps that bring a group in line with what has happened to its orders; none if it is."""
    steps: list[Step] = []
    group = Group.of(orders)
    while step := _next_step(group, at):
        steps.append(step)
        group = replace(group, **{step[0].leg: step[0]})
    return steps


def _next_step(group: Group, at: datetime) -> Step | None:
    return _end_together(group, at) or _activate(group, at) or _one_cancels_other(group, at)


def _end_together(group: Group, at: datetime) -> Step | None:
    ended = next((order for order in group.orders() if order.status in _ENDED_UNFILLED), None)
    still_open = next((order for order in group.orders() if order.is_open), None)
    if ended is None or still_open is None or _is_working_alone(group, still_open):
        return None
    if ended.status == "expired":
        return transitions.expire(still_open, at)
    return transitions.cancel(still_open, at, f"{ended.leg} {ended.status}")


def _is_working_alone(group: Group, order: Order) -> bool:
    """Tell whether an order is the exit that ended the other one: a stop that was elected."""
    return order is group.stop_loss and order.triggered


def _activate(group: Group, at: datetime) -> Step | None:
    if group.entry is not None and group.entry.status != "filled":
        return None
    profit, stop = group.take_profit, group.stop_loss
    if profit is not None and profit.status == "held":
        return transitions.acknowledge(profit, at)
    if stop is None or stop.status != "held" or stop.armed:
        return None
    return transitions.arm(stop, at) if profit is not None else transitions.acknowledge(stop, at)


def _one_cancels_other(group: Group, at: datetime) -> Step | None:
    profit, stop = group.take_profit, group.stop_loss
    if profit is None or stop is None or is_race(profit) or is_race(stop):
        return None
    if profit.is_open and stop.triggered:
        return transitions.cancel(profit, at, "stop_loss elected")
    if stop.status != "held":
        return None
    if profit.status == "filled":
        return transitions.cancel(stop, at, "take_profit filled")
    if profit.is_open and profit.filled_qty and stop.qty != profit.leaves_qty:
        return transitions.resize(stop, at, profit.leaves_qty)
    return None


def is_race(order: Order) -> bool:
    """Tell whether a fault lets both exits of the order's group fill."""
    return bool(order.fill_plan and order.fill_plan.get("race"))
