"""What holds of the order state machine for any sequence of events."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from brokers.types import OrdStatus
from orders.state import (
    Bust,
    CancelRejected,
    Correction,
    Event,
    IllegalTransition,
    OrderState,
    Rejected,
    Replaced,
    ReplaceRejected,
    Restated,
    Submitted,
    Trade,
    apply,
    event_from_dict,
    event_to_dict,
    replay,
    state_from_dict,
    state_to_dict,
)
from orders.state.events import OwnDecision
from tests.factories.events import FACTS, HUNDRED, OWN, after, prices, quantities

FILLING = (Trade, Correction, Bust, Restated)  # the last may be a split of the fills that have come by then
LOCAL = {OrdStatus.INITIALIZED, OrdStatus.DENIED, OrdStatus.SUBMITTED}


def run(order_qty: Decimal, events: list[Event]) -> tuple[OrderState, list[Event]]:
    """Apply what is allowed; return the state and the events that were."""
    state, taken = OrderState(order_qty), []
    for event in events:
        try:
            state = apply(state, event)
        except IllegalTransition:
            assert isinstance(event, OwnDecision)
        else:
            taken.append(event)
    return state, taken


@settings(max_examples=400, deadline=None)
@given(quantities, st.lists(st.one_of(OWN, FACTS), max_size=25))
def test_any_sequence_keeps_the_invariants(order_qty: Decimal, events: list[Event]) -> None:
    state, taken = run(order_qty, events)
    assert Decimal(0) <= state.leaves_qty <= max(state.order_qty, Decimal(0))
    assert state.cum_qty >= 0
    if state.leaves_qty:
        assert state.cum_qty + state.leaves_qty == state.order_qty
    assert (state.avg_px is None) is (state.cum_qty == 0)
    assert not (state.is_terminal and state.is_working)
    names = [name for fill in state.fills for name in (fill.exec_id, *fill.supersedes)]
    assert len(names) == len(set(names))
    assert not set(names) & set(state.retired)
    if state.fills:
        assert state.ord_status not in LOCAL
    assert replay(order_qty, taken) == state


@settings(max_examples=200, deadline=None)
@given(quantities, st.lists(st.one_of(OWN, FACTS), max_size=25))
def test_events_and_states_survive_json(order_qty: Decimal, events: list[Event]) -> None:
    for event in events:
        assert event_from_dict(json.loads(json.dumps(event_to_dict(event)))) == event
    state, _ = run(order_qty, events)
    assert state_from_dict(json.loads(json.dumps(state_to_dict(state)))) == state


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(OWN, FACTS), max_size=15), FACTS)
@example([Submitted(2)], Rejected())
def test_a_fact_told_twice_changes_nothing_the_second_time(events: list[Event], fact: Event) -> None:
    answers = CancelRejected | ReplaceRejected | Replaced
    assume(
        not (isinstance(fact, answers) and fact.id is None)
    )  # each answers the oldest request that is open
    once = apply(run(HUNDRED, events)[0], fact)
    assert apply(once, fact) == once


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.tuples(quantities, prices), min_size=1, max_size=3), max_size=3),
    st.lists(st.sampled_from(range(3)), max_size=2, unique=True),
    st.lists(FACTS.filter(lambda fact: not isinstance(fact, FILLING)), max_size=4),
    st.randoms(use_true_random=False),
)
def test_fills_are_alike_in_whatever_order_facts_come(
    chains: list[list[tuple[Decimal, Decimal]]], busted: list[int], others: list[Event], random: Any
) -> None:
    facts = list(others)
    for number, versions in enumerate(chains):
        names = [f"{number}.{version}" for version in range(len(versions))]
        facts.append(Trade(names[0], *versions[0]))
        facts += [
            Correction(name, before, *version)
            for before, name, version in zip(names, names[1:], versions[1:], strict=False)
        ]
        if number in busted:
            facts.append(Bust(f"bust {number}", random.choice(names)))
    outcomes = []
    for _ in range(2):
        random.shuffle(facts)
        state = after(*facts)
        fills = {fill.exec_id: (fill.last_qty, fill.last_px) for fill in state.fills}
        outcomes.append((fills, set(state.retired), state.cum_qty, state.avg_px))
    assert outcomes[0] == outcomes[1]
    surviving = {number for number in range(len(chains)) if number not in busted}
    assert set(outcomes[0][0]) == {f"{number}.{len(chains[number]) - 1}" for number in surviving}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(OWN, FACTS), max_size=15), st.data())
def test_an_execution_reported_again_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    state, taken = run(HUNDRED, events)
    executions = [event for event in taken if isinstance(event, Trade | Bust)]
    if executions:
        again = apply(state, data.draw(st.sampled_from(executions)))
        assert (again.fills, again.retired) == (state.fills, state.retired)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(quantities, prices), min_size=1, max_size=5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_a_chain_ends_alike_in_any_order(
    versions: list[tuple[Decimal, Decimal]], busted: bool, random: Any
) -> None:
    events: list[Event] = [Trade("v0", *versions[0])]
    for number, version in enumerate(versions[1:], 1):
        events.append(Correction(f"v{number}", f"v{number - 1}", *version))
    if busted:
        events.append(Bust("bust", f"v{random.randrange(len(versions))}"))
    random.shuffle(events)
    state = after(*events)
    if busted:
        assert state.fills == ()
    else:
        (fill,) = state.fills
        assert (fill.exec_id, fill.last_qty, fill.last_px) == (f"v{len(versions) - 1}", *versions[-1])
