"""What an order finds at its place when its turn comes, and what follows from that. Pure, no ORM.

A place is an account and a symbol. Its position, and its other orders that are not finished, say whether an order may
be sent, how much of it, or what has to end before.

| the order | what must end first | then |
|---|---|---|
| an entry beside no opposite position | nothing | sent as it is |
| an entry that holds an opposite position | a closing order of the desk | sent as it is: a reversal |
| an exit | protective exits, and exits that are being canceled | sent, at most what is left to close |
| an exit that leaves nothing of what came before | the entries of that side before it, too | the same |
| an exit of the whole that the desk decides on | resting exits, too | the same |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from brokers.types import OrdType, PositionEffect, Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Neighbor:
    """Another order of the place that is not finished: it may trade, or fills of it may still be told of."""

    id: UUID
    side: Side
    effect: PositionEffect
    ord_type: OrdType
    is_leg: bool
    is_sent: bool
    is_working: bool  # the broker works it, and has said so
    has_ended: bool  # and is followed: the broker has told of fills that have not come yet
    is_leaving: bool  # a cancel of it is open
    is_before: bool  # it was recorded before the order whose turn it is
    left: Decimal  # what may still trade; of an entry that is not sized yet 0

    @property
    def rests(self) -> bool:
        """Say whether it may stand like this for hours."""
        return self.is_working and self.ord_type is not OrdType.MARKET

    @property
    def is_exit(self) -> bool:
        return self.effect is PositionEffect.CLOSE and not self.is_leg


@dataclass(frozen=True, slots=True)
class Exit:
    """The exit whose turn it is."""

    side: Side
    order_qty: Decimal
    closes_whole: bool
    supersedes: bool = False  # resting exits are canceled for it
    is_patient: bool = True  # it has not waited long for entries yet


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing is in the way; ``qty`` is what to send."""

    qty: Decimal


@dataclass(frozen=True, slots=True)
class Blocked:
    """These have to end first; ``cancel`` are those to be canceled for that."""

    cancel: tuple[UUID, ...] = ()
    awaits: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class NothingToClose:
    """There is no such position, or others close it."""


Turn = Clear | Blocked | NothingToClose


def is_opposite(side: Side, position: Decimal) -> bool:
    """Say whether an entry on this side finds a position that it would have to close first."""
    return position < ZERO if side is Side.BUY else position > ZERO


def turn_of_exit(exit_: Exit, position: Decimal, neighbors: Sequence[Neighbor]) -> Turn:
    """Say whether an exit may be sent now, and how much of it: never more than is held less what others close."""
    held = position if exit_.side is Side.SELL else -position
    closable = held - sum((one.left for one in neighbors if one.is_exit and one.is_sent), ZERO)
    ending = _ending(exit_, neighbors)
    entries = [one for one in neighbors if _feeds(exit_, one)]
    ends_entries = exit_.closes_whole or exit_.order_qty >= max(held, ZERO) + _growth(entries)
    if ends_entries:
        # An entry whose outcome nobody knows must not keep what is held from being closed.
        ending += entries if exit_.is_patient or closable <= ZERO else []
    if ending:
        cancel = [one.id for one in ending if not (one.is_leaving or one.has_ended)]
        return Blocked(tuple(cancel), tuple(one.id for one in ending))
    if closable > ZERO:
        return Clear(closable if exit_.closes_whole else min(exit_.order_qty, closable))
    if not ends_entries and held <= ZERO:
        # Hours later nobody expects it any more. What may have been filled by now is awaited.
        awaited = [one.id for one in entries if exit_.is_patient or not one.rests]
        if awaited:
            return Blocked(awaits=tuple(awaited))
    return NothingToClose()


def _ending(exit_: Exit, neighbors: Sequence[Neighbor]) -> list[Neighbor]:
    """Return what would close the same shares, and has to end before this exit is sent."""
    rivals = [one for one in neighbors if one.side is exit_.side]
    return [one for one in rivals if one.is_leg or (one.is_exit and _yields(exit_, one))]


def _yields(exit_: Exit, other: Neighbor) -> bool:
    """Say whether another exit has to end before this one is sent."""
    return other.is_leaving or (exit_.supersedes and other.ord_type is not OrdType.MARKET)


def _growth(entries: Sequence[Neighbor]) -> Decimal:
    """Return what these entries may add; one that is not sized yet may add anything."""
    if any(not one.left for one in entries):
        return Decimal("Infinity")
    return sum((one.left for one in entries), ZERO)


def _feeds(exit_: Exit, one: Neighbor) -> bool:
    """Say whether this is an entry of before that adds to what the exit closes."""
    return one.effect is PositionEffect.OPEN and one.side is not exit_.side and one.is_before
