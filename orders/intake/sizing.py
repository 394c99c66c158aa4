"""How much to trade: pure arithmetic, exact, and never zero by accident."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, localcontext
from enum import StrEnum

# Enough for any quantity and step that pass the desk's limits; the caller's context may be smaller.
_CONTEXT = Context(prec=60)
_NINE_PLACES = Decimal("0.000000001")


class SizingCode(StrEnum):
    NO_QUANTITY = "NO_QUANTITY"
    NOT_POSITIVE = "NOT_POSITIVE"
    BELOW_STEP = "BELOW_STEP"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    ABOVE_MAXIMUM = "ABOVE_MAXIMUM"
    NOTHING_TO_CLOSE = "NOTHING_TO_CLOSE"
    NO_STOP = "NO_STOP"
    STOP_ON_WRONG_SIDE = "STOP_ON_WRONG_SIDE"
    NO_EQUITY = "NO_EQUITY"
    NO_PRICE = "NO_PRICE"
    WRONG_CURRENCY = "WRONG_CURRENCY"


class SizingError(Exception):
    """No order can be sized; ``code`` is for scripts, ``message`` for the trader."""

    def __init__(self, code: SizingCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def size_order(
    requested: Decimal | None,
    default: Decimal | None,
    *,
    lot_step: Decimal,
    min_qty: Decimal,
    max_qty: Decimal | None,
) -> Decimal:
    """Return the quantity of an entry: what was asked for, else the strategy's default.

    Rounds down to a multiple of ``lot_step``. A quantity above ``max_qty`` is refused and not
    cut, because a smaller position than the strategy believes in is a different trade.

    Raises ``SizingError``; ValueError where ``lot_step`` is not above zero.
    """
    _check_step(lot_step)
    wanted = requested if requested is not None else default
    if wanted is None:
        raise SizingError(SizingCode.NO_QUANTITY, "no quantity, and the strategy has no default")
    _check_positive(wanted)
    if max_qty is not None and wanted > max_qty:
        raise SizingError(
            SizingCode.ABOVE_MAXIMUM, f"{plain(wanted)} is above the maximum of {plain(max_qty)}"
        )
    quantity = floor_to_step(wanted, lot_step)
    if quantity == 0:
        raise SizingError(
            SizingCode.BELOW_STEP, f"{plain(wanted)} is less than one step of {plain(lot_step)}"
        )
    if quantity < min_qty:
        raise SizingError(
            SizingCode.BELOW_MINIMUM, f"{plain(quantity)} is below the minimum of {plain(min_qty)}"
        )
    return quantity


def plain(number: Decimal) -> str:
    """Write a number for people: nine decimals at most, no zeros at the end."""
    with localcontext(_CONTEXT):
        return f"{number.quantize(_NINE_PLACES, ROUND_DOWN).normalize():f}"


def floor_to_step(wanted: Decimal, lot_step: Decimal) -> Decimal:
    """Return the greatest multiple of ``lot_step`` that is not above ``wanted``, which may be zero."""
    _check_step(lot_step)
    with localcontext(_CONTEXT):
        return wanted // lot_step * lot_step


def cap_exit(requested: Decimal | None, closable: Decimal) -> Decimal:
    """Return the quantity of an exit: what was asked for, never more than there is to close.

    ``closable`` is a size, not signed. An exit is not rounded to a lot, so that the odd rest of
    a position can always be closed. Raises ``SizingError``.
    """
    if not closable.is_finite() or closable <= 0:
        raise SizingError(SizingCode.NOTHING_TO_CLOSE, "there is no such position to close")
    if requested is None:
        return closable
    _check_positive(requested)
    return min(requested, closable)


def _check_step(lot_step: Decimal) -> None:
    if not lot_step.is_finite() or lot_step <= 0:
        raise ValueError("lot_step must be above zero")


def _check_positive(quantity: Decimal) -> None:
    if not quantity.is_finite() or quantity <= 0:
        raise SizingError(SizingCode.NOT_POSITIVE, "the quantity must be above zero")
