"""Compare what a position needs with the protective exits that rest, and say what to do next.

One thing at a time: where an answer of the broker's is awaited nothing is planned, and its arrival has the position
looked at again. So whoever carries out a plan may die after any step of it.

| the broker | stop and target together |
|---|---|
| lets an open exit hold its shares (``hold_shares``) | one OCO, where there is one, for whole shares; else the stop |
| does not | two orders, the stop first |
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.types import Side
from orders.protection.prices import StopTerms


class LegKind(StrEnum):
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"


class LegState(StrEnum):
    UNSENT = "UNSENT"
    IN_FLIGHT = "IN_FLIGHT"  # sent, the outcome is not known
    WORKING = "WORKING"
    CHANGING = "CHANGING"  # a replace of it is not answered
    ENDING = "ENDING"  # a cancel of it is not answered


_AWAITED = (LegState.IN_FLIGHT, LegState.CHANGING, LegState.ENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLeg:
    """A protective exit that has not ended."""

    id: uuid.UUID
    kind: LegKind
    side: Side
    state: LegState
    leaves_qty: Decimal
    cum_qty: Decimal = Decimal(0)
    stop: StopTerms | None = None
    price: Decimal | None = None
    pair: uuid.UUID | None = None  # of an OCO's two orders: the same
    replaceable: bool = True
    pause_seconds: float = 0.0  # it was asked to change a moment ago, and that was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One account's position in one symbol, what it is to be protected by, and what rests."""

    position: Decimal
    stop: StopTerms | None = None
    target: Decimal | None = None
    legs: tuple[OpenLeg, ...] = ()
    exit_under_way: bool = False
    place_in_seconds: float = 0.0  # the broker has refused one: not before
    resize_in_seconds: float = 0.0  # more fills are to come: not before
    settle_in_seconds: float = (
        0.0  # an OCO's one order has ended, and the broker is about to end the other itself
    )

    @property
    def qty(self) -> Decimal:
        return abs(self.position)

    @property
    def closing_side(self) -> Side:
        return Side.SELL if self.position > 0 else Side.BUY


@dataclass(frozen=True, slots=True)
class Rules:
    """What the broker can do."""

    oco: bool
    hold_shares: bool
    replaces: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLegs:
    """Place a stop, a target, or both as an OCO."""

    qty: Decimal
    stop: StopTerms | None = None
    target: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Change a leg; ``order_qty`` is with what it has filled already, None leaves a term as it is."""

    leg: uuid.UUID
    order_qty: Decimal | None = None
    stop_px: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    leg: uuid.UUID


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after so many seconds, unless something happens before."""

    seconds: float


Step = PlaceLegs | Replace | Cancel | Wait


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is wanted of orders that stand or fall together."""

    stop: StopTerms | None
    target: Decimal | None

    @property
    def kinds(self) -> frozenset[LegKind]:
        kinds = {LegKind.STOP_LOSS: self.stop, LegKind.TAKE_PROFIT: self.target}
        return frozenset(kind for kind, terms in kinds.items() if terms is not None)


def plan(place: Place, rules: Rules) -> list[Step]:
    """Return the next steps; none where all is as it should be, or where the broker's answer is awaited.

    A plain exit that is under way has the shares: nothing is placed beside it.
    """
    if place.exit_under_way:
        return []
    needless = _needless(place, rules)
    if needless:
        return _cancel(place, needless)
    wishes = _wishes(place, rules)
    for wish in wishes:
        legs = [leg for leg in place.legs if leg.kind in wish.kinds]
        steps = _tend(place, wish, legs, rules)
        if steps or any(leg.state is not LegState.WORKING for leg in legs):
            return steps  # the next comes when this one works
    return []


def _wishes(place: Place, rules: Rules) -> list[_Wish]:
    stop, target = place.stop, place.target
    if not place.position:
        return []
    if stop is None or target is None:
        return [_Wish(stop, target)] if stop is not None or target is not None else []
    if not rules.hold_shares:
        return [_Wish(stop, None), _Wish(None, target)]
    together = rules.oco and not stop.is_trailing and _is_whole(place.qty)
    return [_Wish(stop, target if together else None)]


def _needless(place: Place, rules: Rules) -> list[OpenLeg]:
    """Return the legs that close nothing, that nobody asked for, or that are there twice."""
    wanted = frozenset[LegKind]().union(*(wish.kinds for wish in _wishes(place, rules)))
    seen: set[LegKind] = set()
    needless = []
    for leg in place.legs:
        wrong = leg.side is not place.closing_side or leg.kind not in wanted or leg.kind in seen
        if not place.position or wrong:
            needless.append(leg)
        seen.add(leg.kind)
    return needless


def _cancel(place: Place, legs: Sequence[OpenLeg]) -> list[Step]:
    """Cancel these, an OCO by either of its orders; what is being canceled already is awaited."""
    if not place.position and place.settle_in_seconds > 0:
        return [Wait(place.settle_in_seconds)]
    pauses = [leg.pause_seconds for leg in legs if leg.pause_seconds > 0]
    if pauses:
        return [Wait(max(pauses))]
    ending = {leg.pair for leg in place.legs if leg.pair and leg.state is LegState.ENDING}
    steps: list[Step] = []
    for leg in legs:
        if leg.state in (LegState.ENDING, LegState.IN_FLIGHT) or leg.pair in ending:
            continue
        steps.append(Cancel(leg.id))
        if leg.pair is not None:
            ending.add(leg.pair)
    return steps


def _tend(place: Place, wish: _Wish, legs: Sequence[OpenLeg], rules: Rules) -> list[Step]:
    if any(leg.state in _AWAITED for leg in legs):
        return []
    if not legs:
        if place.place_in_seconds > 0:
            return [Wait(place.place_in_seconds)]
        return [PlaceLegs(qty=place.qty, stop=wish.stop, target=wish.target)]
    if _fits(place, wish, legs):
        return []
    if _is_left_of_pair(place, legs) and place.settle_in_seconds > 0:
        return [Wait(place.settle_in_seconds)]
    too_much = any(leg.leaves_qty > place.qty for leg in legs)
    if not too_much and place.resize_in_seconds > 0:
        return [Wait(place.resize_in_seconds)]
    return _change(place, wish, legs, rules) or _cancel(place, legs)


def _fits(place: Place, wish: _Wish, legs: Sequence[OpenLeg]) -> bool:
    """Say whether these are what is wanted.

    Of an OCO the target tells, since the broker cuts the stop down after it. Where the stop is left alone, it is being
    filled, and the target was canceled for it: it is left to its end. A target left alone protects nothing.
    """
    if len(wish.kinds) == 2 and _is_left_of_pair(place, legs):
        return legs[0].kind is LegKind.STOP_LOSS and legs[0].leaves_qty == place.qty
    if len(legs) == 2 and (legs[0].pair is None or legs[0].pair != legs[1].pair):
        return False
    if {leg.kind for leg in legs} != wish.kinds or (len(legs) == 1) != (len(wish.kinds) == 1):
        return False
    telling = next((leg for leg in legs if leg.kind is LegKind.TAKE_PROFIT), legs[0])
    return telling.leaves_qty == place.qty and all(_terms_fit(wish, leg) for leg in legs)


def _is_left_of_pair(place: Place, legs: Sequence[OpenLeg]) -> bool:
    pair = legs[0].pair
    return pair is not None and sum(leg.pair == pair for leg in place.legs) == 1


def _terms_fit(wish: _Wish, leg: OpenLeg) -> bool:
    return leg.stop == wish.stop if leg.kind is LegKind.STOP_LOSS else leg.price == wish.target


def _change(place: Place, wish: _Wish, legs: Sequence[OpenLeg], rules: Rules) -> list[Step]:
    """Replace a leg that stands alone, where the broker can: so the position is never without it."""
    leg = legs[0]
    whole = _is_whole(place.qty) and _is_whole(leg.cum_qty)
    alone = wish.kinds == {leg.kind} and leg.pair is None and leg.state is LegState.WORKING
    if not (alone and rules.replaces and leg.replaceable and (whole or not rules.hold_shares)):
        return []
    changed = not _terms_fit(wish, leg)
    if changed and any(stop is not None and stop.is_trailing for stop in (leg.stop, wish.stop)):
        return []
    qty = place.qty + leg.cum_qty if leg.leaves_qty != place.qty else None
    stop_px = wish.stop.stop_px if changed and wish.stop is not None else None
    price = wish.target if changed and leg.kind is LegKind.TAKE_PROFIT else None
    return [Replace(leg=leg.id, order_qty=qty, stop_px=stop_px, price=price)]


def _is_whole(qty: Decimal) -> bool:
    return qty == qty.to_integral_value()
