"""How much an entry is to trade where its strategy has a rule for it: pure arithmetic, rounded down, never to zero.

| rule | quantity, before steps and limits |
|---|---|
| ``FIXED`` | the value itself |
| ``CASH`` | value / (price x multiplier) |
| ``PERCENT_OF_EQUITY`` | value % of equity / (price x multiplier) |
| ``RISK_AMOUNT`` | value / (stop distance x multiplier) |
| ``RISK_PERCENT`` | value % of equity / (stop distance x multiplier) |

A quantity that somebody named (``FIXED``) is refused above a maximum, since a smaller position than the strategy
believes in is a different trade. One that a rule has worked out is cut to it: the rule's amount is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from enum import StrEnum

from brokers.types import Side
from orders.intake.protective import ProtectiveExit
from orders.intake.sizing import SizingCode, SizingError, floor_to_step, plain

_CONTEXT = Context(prec=60, rounding=ROUND_DOWN)
_HUNDRED = Decimal(100)
_MOST = Decimal(10) ** 12
"""What no quantity reaches, whatever it was worked out from."""


class SizingMethod(StrEnum):
    FIXED = "FIXED"
    CASH = "CASH"
    PERCENT_OF_EQUITY = "PERCENT_OF_EQUITY"
    RISK_AMOUNT = "RISK_AMOUNT"
    RISK_PERCENT = "RISK_PERCENT"

    @property
    def needs_equity(self) -> bool:
        return self in (SizingMethod.PERCENT_OF_EQUITY, SizingMethod.RISK_PERCENT)

    @property
    def needs_stop(self) -> bool:
        return self in (SizingMethod.RISK_AMOUNT, SizingMethod.RISK_PERCENT)


@dataclass(frozen=True, slots=True)
class SizingRule:
    """``value`` is a quantity, an amount of money, or a percentage, as the method has it."""

    method: SizingMethod
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a quantity: the symbol's steps, and what instrument and strategy allow; None: no bound."""

    lot_step: Decimal
    min_qty: Decimal
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a rule works with: the price that is counted with, and what the method needs besides."""

    price: Decimal
    multiplier: Decimal = Decimal(1)
    equity: Decimal | None = None
    stop_distance: Decimal | None = None


def size_by_rule(rule: SizingRule, basis: Basis, limits: Limits) -> Decimal:
    """Return the quantity of an entry: a multiple of the step, within the limits, above zero.

    Never more than the rule's amount, percentage or risk, at the basis' price. Raises ``SizingError``.
    """
    with localcontext(_CONTEXT):
        wanted = _wanted(rule, basis)
        if rule.method is SizingMethod.FIXED:
            _refuse_above(wanted, basis, limits)
        else:
            wanted = _cut(wanted, basis, limits)
        if wanted >= _MOST:
            raise SizingError(SizingCode.ABOVE_MAXIMUM, f"a quantity is below {_MOST:f}")
        quantity = floor_to_step(wanted, limits.lot_step)
        _refuse_below(wanted, quantity, basis, limits)
        return quantity


def check_amount(quantity: Decimal, basis: Basis, limits: Limits) -> None:
    """Check the amount of money of a quantity that is settled. Raises ``SizingError``."""
    with localcontext(_CONTEXT):
        _refuse_above(quantity, basis, limits)
        _refuse_below(quantity, quantity, basis, limits)


def stop_distance(entry: Decimal, stop: ProtectiveExit, side: Side) -> Decimal:
    """Return how far the stop lies from the entry's price. Raises ``SizingError`` where it protects nothing."""
    if stop.offset is not None:
        return stop.offset
    with localcontext(_CONTEXT):
        if stop.percent is not None:
            return entry * stop.percent / _HUNDRED
        if stop.price is None:
            raise SizingError(SizingCode.NO_STOP, "the stop loss names no price")
        distance = entry - stop.price if side == Side.BUY else stop.price - entry
    if distance <= 0:
        word = "below" if side == Side.BUY else "above"
        message = f"the stop loss of {plain(stop.price)} is not {word} the price of {plain(entry)}"
        raise SizingError(SizingCode.STOP_ON_WRONG_SIDE, message)
    return distance


def part_of_position(held: Decimal, percent: Decimal, lot_step: Decimal) -> Decimal:
    """Return so many percent of a position, for an exit: rounded down to the step, and one step where that is nothing.

    ``held`` is a size, not signed. An exit is never refused for being small, and never more than the position.
    """
    with localcontext(_CONTEXT):
        part = floor_to_step(held * percent / _HUNDRED, lot_step)
    return min(max(part, lot_step), held)


# --- inside the context ---


def _wanted(rule: SizingRule, basis: Basis) -> Decimal:
    if rule.method is SizingMethod.FIXED:
        return rule.value
    amount = rule.value
    if rule.method.needs_equity:
        if basis.equity is None or basis.equity <= 0:
            raise SizingError(SizingCode.NO_EQUITY, "the account has no equity to size by")
        amount = basis.equity * rule.value / _HUNDRED
    unit = basis.price
    if rule.method.needs_stop:
        if basis.stop_distance is None or basis.stop_distance <= 0:
            raise SizingError(SizingCode.NO_STOP, "sizing by risk needs a stop loss")
        unit = basis.stop_distance
    return amount / (unit * basis.multiplier)


def _cut(wanted: Decimal, basis: Basis, limits: Limits) -> Decimal:
    if limits.max_qty is not None:
        wanted = min(wanted, limits.max_qty)
    if limits.max_notional is not None:
        wanted = min(wanted, limits.max_notional / (basis.price * basis.multiplier))
    return wanted


def _refuse_above(wanted: Decimal, basis: Basis, limits: Limits) -> None:
    if limits.max_qty is not None and wanted > limits.max_qty:
        message = f"{plain(wanted)} is above the maximum of {plain(limits.max_qty)}"
        raise SizingError(SizingCode.ABOVE_MAXIMUM, message)
    amount = wanted * basis.price * basis.multiplier
    if limits.max_notional is not None and amount > limits.max_notional:
        message = f"an amount of {plain(amount)} is above the maximum of {plain(limits.max_notional)}"
        raise SizingError(SizingCode.ABOVE_MAXIMUM, message)


def _refuse_below(wanted: Decimal, quantity: Decimal, basis: Basis, limits: Limits) -> None:
    if quantity == 0:
        message = f"{plain(wanted)} is less than one step of {plain(limits.lot_step)}"
        raise SizingError(SizingCode.BELOW_STEP, message)
    if quantity < limits.min_qty:
        message = f"{plain(quantity)} is below the minimum of {plain(limits.min_qty)}"
        raise SizingError(SizingCode.BELOW_MINIMUM, message)
    amount = quantity * basis.price * basis.multiplier
    if limits.min_notional is not None and amount < limits.min_notional:
        message = f"an amount of {plain(amount)} is below the minimum of {plain(limits.min_notional)}"
        raise SizingError(SizingCode.BELOW_MINIMUM, message)
