"""One order's next steps, and those of its group, inside one unit of work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from venue.engine import transitions
from venue.engine.decide import Decision, Scene, Verdict, decide
from venue.engine.groups import consequences
from venue.engine.positions import apply_fill
from venue.engine.transaction import AccountTransaction
from venue.models import Change, Order, Position

_PAUSES = (Verdict.REST, Verdict.HOLD, Verdict.WAIT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an order stands after its steps; ``others`` are the orders of its group that moved too."""

    order: Order
    decision: Decision
    others: tuple[Order, ...] = ()


async def advance(unit: AccountTransaction, order: Order, position: Position, scene: Scene) -> Outcome:
    """Take an order as far as it goes now, and its group after it."""
    before = order
    order, decision = _steps(unit, order, position, scene)
    if order.group_id is None or order is before:
        return Outcome(order, decision)
    moved = {other.id: other for other in await settle_group(unit, order, scene.now)}
    order = moved.pop(order.id, order)
    return Outcome(order, decision if order.is_open else Decision(Verdict.HOLD), tuple(moved.values()))


async def settle_group(unit: AccountTransaction, order: Order, at: datetime) -> list[Order]:
    """Bring an order's group in line with what became of it, and return the orders that moved."""
    steps = consequences([*await unit.load_group(order), order], at)
    for after, change in steps:
        unit.change_order(after, change)
    return list({after.id: after for after, _ in steps}.values())


def _steps(
    unit: AccountTransaction, order: Order, position: Position, scene: Scene
) -> tuple[Order, Decision]:
    decision = Decision(Verdict.HOLD)
    while order.is_open:
        decision = decide(order, scene)
        if decision.verdict in _PAUSES:
            break
        if decision.verdict is Verdict.FILL:
            position, delta = apply_fill(position, order.side, decision.qty, decision.price)
            order, change = transitions.fill(order, scene.now, decision.qty, decision.price, position, delta)
            unit.change_order(order, change, position)
            scene = replace(scene, waited=False)
        else:
            order, change = _transition(order, decision.verdict, scene)
            unit.change_order(order, change)
    if scene.closing and order.is_open and (order.status != "held" or order.time_in_force != "gtc"):
        end = transitions.rest_for_day if order.time_in_force == "gtc" else transitions.expire
        order, change = end(order, scene.now)
        unit.change_order(order, change)
        decision = Decision(Verdict.HOLD)
    return order, decision if order.is_open else Decision(Verdict.HOLD)


def _transition(order: Order, verdict: Verdict, scene: Scene) -> tuple[Order, Change]:
    if verdict is Verdict.ACKNOWLEDGE:
        return transitions.acknowledge(order, scene.now)
    if verdict is Verdict.TRIGGER:
        return transitions.trigger(order, scene.now, scene.quote.last)
    if verdict is Verdict.REJECT:
        return transitions.reject(order, scene.now, str((order.fill_plan or {})["reject"]))
    if verdict is Verdict.EXPIRE:
        return transitions.expire(order, scene.now)
    return transitions.cancel(order, scene.now, f"{order.time_in_force} remainder")
