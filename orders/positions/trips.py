"""A round trip: from the fill that left zero to the one that came back to it or passed it."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext
from enum import StrEnum
from uuid import UUID

from orders.positions.amounts import EXACT, ZERO, average_px
from orders.positions.fills import Fill


class TripSide(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"


class LegRole(StrEnum):
    ENTRY = "ENTRY"  # the first one and every add
    EXIT = "EXIT"


@dataclass(frozen=True, slots=True)
class Leg:
    """What one fill did to one trip; a fill that passes zero is the exit of one and the entry of the next."""

    exec_id: str
    order_id: UUID
    role: LegRole
    qty: Decimal
    px: Decimal


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Sums of a trip's legs so far.

    The sums stand by themselves: a trip that was loaded without its earlier legs goes on correctly, and has
    then only the new ones.
    """

    side: TripSide
    opened_at: datetime
    closed_at: datetime | None = None
    entry_qty: Decimal = ZERO
    entry_amount: Decimal = ZERO  # quantity times price, summed
    exit_qty: Decimal = ZERO
    exit_amount: Decimal = ZERO
    realized_pnl: Decimal = ZERO  # before fees
    fees: Decimal = ZERO
    legs: tuple[Leg, ...] = ()

    @property
    def entry_px(self) -> Decimal | None:
        """Average the entries by quantity: 10 places, half to even."""
        return average_px(self.entry_amount, self.entry_qty)

    @property
    def exit_px(self) -> Decimal | None:
        """Average the exits by quantity: 10 places, half to even; None before the first."""
        return average_px(self.exit_amount, self.exit_qty)

    @property
    def net_pnl(self) -> Decimal:
        """Return what the trip has brought in, fees taken off."""
        with localcontext(EXACT):
            return self.realized_pnl - self.fees


def begin(fill: Fill) -> RoundTrip:
    """Return the trip that ``fill`` begins, before its entry."""
    return RoundTrip(TripSide.LONG if fill.sign > 0 else TripSide.SHORT, fill.at)


def enter(trip: RoundTrip, fill: Fill, qty: Decimal, fee: Decimal) -> RoundTrip:
    """Add ``qty`` of ``fill``, and ``fee`` for it, as an entry."""
    with localcontext(EXACT):
        return replace(
            trip,
            entry_qty=trip.entry_qty + qty,
            entry_amount=trip.entry_amount + qty * fill.px,
            fees=trip.fees + fee,
            legs=(*trip.legs, Leg(fill.exec_id, fill.order_id, LegRole.ENTRY, qty, fill.px)),
        )


def leave(trip: RoundTrip, fill: Fill, qty: Decimal, fee: Decimal, realized_pnl: Decimal) -> RoundTrip:
    """Add ``qty`` of ``fill``, and ``fee`` for it, as an exit; the trip is closed when all of it has left."""
    with localcontext(EXACT):
        exit_qty = trip.exit_qty + qty
        return replace(
            trip,
            closed_at=fill.at if exit_qty == trip.entry_qty else None,
            exit_qty=exit_qty,
            exit_amount=trip.exit_amount + qty * fill.px,
            realized_pnl=trip.realized_pnl + realized_pnl,
            fees=trip.fees + fee,
            legs=(*trip.legs, Leg(fill.exec_id, fill.order_id, LegRole.EXIT, qty, fill.px)),
        )
