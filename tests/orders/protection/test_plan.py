"""Whatever rests, the plan leads to exits that equal the position, and never to one that opens another."""

import uuid
from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from brokers.types import Side
from orders.protection import (
    Cancel,
    LegKind,
    LegState,
    OpenLeg,
    Place,
    PlaceLegs,
    Replace,
    Rules,
    Step,
    StopTerms,
    Wait,
    plan,
)

HELD = Rules(oco=True, hold_shares=True, replaces=True)
HELD_WITHOUT_OCO = Rules(oco=False, hold_shares=True, replaces=True)
APART = Rules(oco=False, hold_shares=False, replaces=True)
STIFF = Rules(oco=True, hold_shares=True, replaces=False)
RULES = (HELD, HELD_WITHOUT_OCO, APART, STIFF)

STOP, TRAIL = StopTerms(stop_px=Decimal(98)), StopTerms(trail_offset=Decimal(2))
stops = st.sampled_from([None, STOP, StopTerms(stop_px=Decimal(97)), TRAIL])
targets = st.sampled_from([None, Decimal(104), Decimal(105)])
positions = st.sampled_from([Decimal(n) for n in ("0", "1", "4", "10", "-3", "-10", "2.5", "-0.5")])
states = st.sampled_from(list(LegState))


@st.composite
def some_legs(draw: st.DrawFn) -> tuple[OpenLeg, ...]:
    """Draw what may rest: nothing, exits that stand alone, or an OCO, on either side and of any size."""
    side = draw(st.sampled_from(list(Side)))
    qty = Decimal(draw(st.integers(1, 10)))
    stop = OpenLeg(
        id=uuid.uuid4(),
        kind=LegKind.STOP_LOSS,
        side=side,
        state=draw(states),
        leaves_qty=qty,
        stop=draw(st.sampled_from([STOP, TRAIL])),
        replaceable=draw(st.booleans()),
    )
    target = OpenLeg(
        id=uuid.uuid4(),
        kind=LegKind.TAKE_PROFIT,
        side=side,
        state=draw(states),
        leaves_qty=qty,
        price=Decimal(104),
        replaceable=draw(st.booleans()),
    )
    pair = [replace(stop, pair=target.id, stop=STOP), replace(target, pair=target.id)]
    twice = [stop, replace(stop, id=uuid.uuid4())]
    return tuple(
        draw(st.sampled_from([[], [stop], [target], [stop, target], pair, pair[:1], pair[1:], twice]))
    )


places = st.builds(
    Place,
    position=positions,
    stop=stops,
    target=targets,
    legs=some_legs(),
    exit_under_way=st.sampled_from([False, False, False, True]),
    place_in_seconds=st.sampled_from([0.0, 0.0, 1.0]),
    resize_in_seconds=st.sampled_from([0.0, 0.0, 1.0]),
    settle_in_seconds=st.sampled_from([0.0, 0.0, 1.0]),
)


def made(step: PlaceLegs, side: Side, rules: Rules) -> list[OpenLeg]:
    """Return what a broker works once it has taken this."""
    both = step.stop is not None and step.target is not None
    pair = uuid.uuid4() if both else None
    kinds = [LegKind.STOP_LOSS] if step.stop else []
    kinds += [LegKind.TAKE_PROFIT] if step.target else []
    return [
        OpenLeg(
            id=uuid.uuid4(),
            kind=kind,
            side=side,
            state=LegState.WORKING,
            leaves_qty=step.qty,
            stop=step.stop if kind is LegKind.STOP_LOSS else None,
            price=step.target if kind is LegKind.TAKE_PROFIT else None,
            pair=pair,
        )
        for kind in kinds
    ]


def carried_out(place: Place, step: Step, rules: Rules) -> Place:
    """Return the place after the broker has done as asked; an OCO ends as one."""
    legs = {leg.id: leg for leg in place.legs}
    if isinstance(step, PlaceLegs):
        assert not (step.stop and step.target) or rules.oco
        legs |= {leg.id: leg for leg in made(step, place.closing_side, rules)}
    elif isinstance(step, Cancel):
        gone = legs[step.leg]
        legs = {
            key: leg
            for key, leg in legs.items()
            if key != gone.id and (gone.pair is None or leg.pair != gone.pair)
        }
    elif isinstance(step, Replace):
        old = legs[step.leg]
        assert rules.replaces
        assert old.pair is None, "an OCO cannot be replaced"
        assert (step.order_qty, step.stop_px, step.price) != (None, None, None), "nothing would change"
        qty = old.leaves_qty if step.order_qty is None else step.order_qty - old.cum_qty
        stop = old.stop if step.stop_px is None else StopTerms(stop_px=step.stop_px)
        legs[old.id] = replace(old, leaves_qty=qty, stop=stop, price=step.price or old.price)
    return replace(place, legs=tuple(legs.values()))


def answered(place: Place) -> Place:
    """Return the place once the broker has answered all that was open, and time has passed."""
    legs = [
        replace(leg, state=LegState.WORKING, pause_seconds=0.0)
        for leg in place.legs
        if leg.state is not LegState.ENDING
    ]
    ended = {leg.pair for leg in place.legs if leg.state is LegState.ENDING and leg.pair}
    kept = tuple(leg for leg in legs if leg.pair not in ended)
    return replace(place, legs=kept, place_in_seconds=0.0, resize_in_seconds=0.0, settle_in_seconds=0.0)


def assert_sound(place: Place) -> None:
    """No two of a kind beyond what was there, and nothing that was placed opens the other side."""
    for kind in LegKind:
        assert sum(leg.kind is kind for leg in place.legs) <= 2
    for leg in place.legs:
        assert leg.leaves_qty > 0


TWO_ALONE = Place(
    position=Decimal(10),
    stop=STOP,
    target=Decimal(104),
    legs=tuple(
        OpenLeg(id=uuid.uuid4(), side=Side.SELL, state=LegState.WORKING, leaves_qty=Decimal(10), **terms)
        for terms in (
            {"kind": LegKind.STOP_LOSS, "stop": STOP},
            {"kind": LegKind.TAKE_PROFIT, "price": Decimal(104)},
        )
    ),
)
"""Each as it should be, but no OCO: at a broker that holds shares for it, one of them has none."""


@settings(max_examples=1500, deadline=None)
@given(places, st.sampled_from(RULES))
@example(TWO_ALONE, HELD)
def test_a_plan_ends_with_exits_that_equal_the_position(place: Place, rules: Rules) -> None:
    place = replace(place, exit_under_way=False)
    for _ in range(12):
        before = place
        for step in plan(place, rules):
            place = carried_out(place, step, rules)
            assert_sound(place)
        place = answered(place)
        if place == before and not plan(place, rules):
            break
    assert plan(place, rules) == [], place
    kinds = [leg.kind for leg in place.legs]
    assert len(kinds) == len(set(kinds))
    if not place.position:
        assert place.legs == ()
        return
    for leg in place.legs:
        assert leg.side is place.closing_side
        assert leg.leaves_qty == place.qty
    assert (LegKind.STOP_LOSS in kinds) == (place.stop is not None)
    if rules.hold_shares:
        closing = {leg.pair or leg.id: leg.leaves_qty for leg in place.legs}
        assert sum(closing.values()) == (place.qty if closing else 0), "the same shares are held once"


@given(places, st.sampled_from(RULES))
def test_no_step_ever_places_more_than_is_open(place: Place, rules: Rules) -> None:
    for step in plan(place, rules):
        if isinstance(step, PlaceLegs):
            assert step.qty == place.qty > 0
            assert step.stop is not None or step.target is not None
            kinds = {leg.kind for leg in place.legs}
            assert not (step.stop and LegKind.STOP_LOSS in kinds)
            assert not (step.target and LegKind.TAKE_PROFIT in kinds)
            assert not (rules.hold_shares and place.legs), "the shares are held still"
        if isinstance(step, Wait):
            assert step.seconds > 0


@given(places, st.sampled_from(RULES))
def test_what_is_not_answered_is_neither_asked_again_nor_worked_around(place: Place, rules: Rules) -> None:
    by_id = {leg.id: leg for leg in place.legs}
    for step in plan(place, rules):
        if isinstance(step, Cancel):
            assert by_id[step.leg].state not in (LegState.ENDING, LegState.IN_FLIGHT)
        if isinstance(step, Replace):
            assert by_id[step.leg].state is LegState.WORKING


@given(places, st.sampled_from(RULES))
def test_an_exit_under_way_has_the_shares(place: Place, rules: Rules) -> None:
    assert plan(replace(place, exit_under_way=True), rules) == []


def a_leg(kind: LegKind = LegKind.STOP_LOSS, qty: str = "10", **fields: object) -> OpenLeg:
    values: dict[str, object] = {
        "id": uuid.uuid4(),
        "kind": kind,
        "side": Side.SELL,
        "state": LegState.WORKING,
        "leaves_qty": Decimal(qty),
        "stop": STOP if kind is LegKind.STOP_LOSS else None,
        "price": Decimal(104) if kind is LegKind.TAKE_PROFIT else None,
    }
    return OpenLeg(**(values | fields))  # type: ignore[arg-type]


def test_too_big_a_stop_is_cut_at_once_too_small_a_one_grows_in_time() -> None:
    stop = a_leg()
    place = Place(position=Decimal(6), stop=STOP, legs=(stop,), resize_in_seconds=0.4)
    assert plan(place, HELD) == [Replace(leg=stop.id, order_qty=Decimal(6))]
    assert plan(replace(place, position=Decimal(12)), HELD) == [Wait(0.4)]


def test_a_stop_that_is_partly_filled_is_replaced_by_its_whole_quantity() -> None:
    stop = a_leg(qty="6", cum_qty=Decimal(4))
    place = Place(position=Decimal(9), stop=STOP, legs=(stop,))
    assert plan(place, HELD) == [Replace(leg=stop.id, order_qty=Decimal(13))]


def test_a_stop_of_a_pair_that_is_being_filled_is_left_to_its_end() -> None:
    stop = a_leg(qty="6", cum_qty=Decimal(4), pair=uuid.uuid4())
    place = Place(position=Decimal(6), stop=STOP, target=Decimal(104), legs=(stop,))
    assert plan(place, HELD) == []


def test_a_stop_of_a_pair_that_is_left_with_too_little_is_placed_anew() -> None:
    stop = a_leg(qty="4", pair=uuid.uuid4())
    place = Place(position=Decimal(10), stop=STOP, target=Decimal(104), legs=(stop,))
    assert plan(place, HELD) == [Cancel(stop.id)]


def test_a_target_of_a_pair_protects_nothing_by_itself() -> None:
    target = a_leg(LegKind.TAKE_PROFIT, pair=uuid.uuid4())
    place = Place(position=Decimal(10), stop=STOP, target=Decimal(104), legs=(target,))
    assert plan(place, HELD) == [Cancel(target.id)]
    filling = replace(place, settle_in_seconds=0.3)
    assert plan(filling, HELD) == [Wait(0.3)], "the stop may have been canceled for its fill"


def test_one_cancel_ends_a_pair() -> None:
    pair = uuid.uuid4()
    legs = (a_leg(pair=pair), a_leg(LegKind.TAKE_PROFIT, pair=pair))
    place = Place(position=Decimal(12), stop=STOP, target=Decimal(104), legs=legs)
    assert plan(place, HELD) == [Cancel(legs[0].id)]


def test_apart_the_target_waits_for_the_stop_to_work() -> None:
    place = Place(position=Decimal(10), stop=STOP, target=Decimal(104))
    assert plan(place, APART) == [PlaceLegs(qty=Decimal(10), stop=STOP)]
    sent = replace(place, legs=(a_leg(state=LegState.IN_FLIGHT),))
    assert plan(sent, APART) == []
    works = replace(place, legs=(a_leg(),))
    assert plan(works, APART) == [PlaceLegs(qty=Decimal(10), target=Decimal(104))]


def test_a_part_of_a_share_gets_the_stop_alone_where_exits_hold_shares() -> None:
    place = Place(position=Decimal("2.5"), stop=STOP, target=Decimal(104))
    assert plan(place, HELD) == [PlaceLegs(qty=Decimal("2.5"), stop=STOP)]
