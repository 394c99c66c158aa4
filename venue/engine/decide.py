"""What the market does next with an order: a pure function of order, quote and session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from enum import Enum, auto
from typing import Any

from venue.engine.book import is_reached
from venue.models import ZERO, Order, Quote

_SHARE_STEP = Decimal("0.000000001")


class Verdict(Enum):
    """The next thing to do; REST, HOLD and WAIT end the work for now."""

    ACKNOWLEDGE = auto()
    TRIGGER = auto()
    FILL = auto()
    REJECT = auto()
    """End it although it was accepted; the reason is in its plan."""
    CANCEL = auto()
    EXPIRE = auto()
    REST = auto()
    """Put it into the book; a quote will wake it."""
    HOLD = auto()
    """Leave it alone until the session changes or somebody cancels it."""
    WAIT = auto()
    """Look again after ``wait_ms``."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its figures."""

    verdict: Verdict
    qty: Decimal = ZERO
    price: Decimal = ZERO
    wait_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """The surroundings of a decision.

    ``halted`` says that the symbol does not trade for now; ``waited`` that the delay of the order's present
    plan step is over; ``closing`` that this is the auction at the end of a session.
    """

    quote: Quote
    now: datetime
    is_open: bool = True
    halted: bool = False
    closing: bool = False
    waited: bool = False


def decide(order: Order, scene: Scene) -> Decision:
    """Say what happens next to an open order."""
    if order.status == "held" and not order.armed:
        return Decision(Verdict.HOLD)
    if order.expires_at is not None and scene.now >= order.expires_at and not scene.closing:
        return Decision(Verdict.EXPIRE)
    if not scene.is_open and not scene.closing:
        return Decision(Verdict.HOLD)
    if (order.fill_plan or {}).get("reject"):
        return Decision(Verdict.REJECT)
    if order.status in ("accepted", "pending_new", "done_for_day"):
        return Decision(Verdict.ACKNOWLEDGE)
    if (
        scene.halted
        or (order.fill_plan or {}).get("never")
        or (order.time_in_force == "cls" and not scene.closing)
    ):
        return Decision(Verdict.HOLD)
    if order.stop_price is not None and not order.triggered:
        return Decision(Verdict.TRIGGER if is_reached(order, scene.quote) else Verdict.REST)
    if order.limit_price is not None and not is_reached(order, scene.quote):
        return _not_marketable(order)
    price = scene.quote.ask if order.side == "buy" else scene.quote.bid
    if order.fill_plan and "fills" in order.fill_plan:
        return _by_plan(order, order.fill_plan, price, waited=scene.waited)
    return Decision(Verdict.FILL, order.leaves_qty, price)


def _not_marketable(order: Order) -> Decision:
    if order.time_in_force in ("ioc", "fok"):
        return Decision(Verdict.CANCEL)
    if order.time_in_force in ("opg", "cls"):
        return Decision(Verdict.EXPIRE)
    return Decision(Verdict.REST)


def _by_plan(order: Order, plan: dict[str, Any], price: Decimal, *, waited: bool) -> Decision:
    steps: list[dict[str, Any]] = plan["fills"]
    if order.plan_step >= len(steps):
        return _after_plan(order, plan["then"], price)
    step = steps[order.plan_step]
    delay_ms = float(step.get("delay_ms", 0))
    if delay_ms and not waited:
        return Decision(Verdict.WAIT, wait_ms=delay_ms)
    qty = min(order.leaves_qty, step_qty(order.qty, step))
    if order.time_in_force == "fok" and qty < order.qty:
        return Decision(Verdict.CANCEL)
    return Decision(Verdict.FILL, qty, price)


def _after_plan(order: Order, then: str, price: Decimal) -> Decision:
    if then == "cancel" or order.time_in_force in ("ioc", "fok"):
        return Decision(Verdict.CANCEL)
    if then == "fill":
        return Decision(Verdict.FILL, order.leaves_qty, price)
    return Decision(Verdict.HOLD)


def step_qty(order_qty: Decimal, step: dict[str, Any]) -> Decimal:
    """Return the shares of one plan step; whole orders are filled in whole shares, at least one."""
    if "qty" in step:
        return Decimal(str(step["qty"]))
    whole = order_qty == order_qty.to_integral_value()
    unit = Decimal(1) if whole else _SHARE_STEP
    return max(unit, (order_qty * Decimal(str(step["fraction"]))).quantize(unit, ROUND_DOWN))
