"""From protective terms to prices, given what the entry was filled at.

A price that falls between two ticks goes to the safe side: a stop towards the entry, so that no more is risked than
was asked for; a target away from it, so that no less is earned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from orders.intake.protective import ProtectiveExit
from orders.protection.terms import Protection

TickAt = Callable[[Decimal], Decimal]
"""The tick that counts at a price."""

_EXACT = Context(prec=50)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTerms:
    """A stop loss as a broker takes it: at a price, or trailing by a distance or a percentage."""

    stop_px: Decimal | None = None
    trail_offset: Decimal | None = None
    trail_percent: Decimal | None = None

    @property
    def is_trailing(self) -> bool:
        return self.stop_px is None


def stop_terms(
    protection: Protection, *, entry_px: Decimal, is_long: bool, tick_at: TickAt
) -> StopTerms | None:
    """Return the stop of a position that was entered at ``entry_px``; None where none was asked for."""
    if protection.trailing is not None:
        return StopTerms(trail_offset=protection.trailing.offset, trail_percent=protection.trailing.percent)
    if protection.stop_loss is None:
        return None
    exact = _price(protection.stop_loss, entry_px, away=-1 if is_long else 1)
    tick = tick_at(exact)
    rounded = _to_tick(exact, tick, up=is_long)
    asked_elsewhere = protection.stop_loss.price is None
    if asked_elsewhere and (rounded >= entry_px if is_long else rounded <= entry_px):
        rounded += -tick if is_long else tick  # a distance below one tick is one tick
    return StopTerms(stop_px=max(rounded, tick))


def target_px(protection: Protection, *, entry_px: Decimal, is_long: bool, tick_at: TickAt) -> Decimal | None:
    """Return the limit at which profit is taken; None where none was asked for."""
    if protection.take_profit is None:
        return None
    exact = _price(protection.take_profit, entry_px, away=1 if is_long else -1)
    tick = tick_at(exact)
    return max(_to_tick(exact, tick, up=is_long), tick)


def usual_tick(price: Decimal) -> Decimal:
    """Return the tick of a US stock at this price: a cent, below a dollar a hundredth of one (SEC rule 612)."""
    return Decimal("0.01") if price >= 1 else Decimal("0.0001")


def _price(asked: ProtectiveExit, entry_px: Decimal, *, away: int) -> Decimal:
    if asked.price is not None:
        return asked.price
    if asked.offset is not None:
        return entry_px + away * asked.offset
    part = _EXACT.divide(asked.percent or Decimal(0), _HUNDRED)
    return entry_px + away * _EXACT.multiply(entry_px, part)


def _to_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return _EXACT.divide(price, tick).to_integral_value(rounding) * tick
