"""Which moves of OrdStatus the state machine can make at all, found by trying everything.

The states are made few first: quantities become levels (nothing, a part, all, more than all), and what only
a repeated report would look at (answered requests, busted exec ids) is dropped, since a new id is always to be
had. Every event in every variant that the handlers tell apart is then applied to every state that is left.
The database refuses what is not found here; the table that it uses is compared with this by a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import get_args

from brokers.types import OrdStatus
from orders.state import events as ev
from orders.state.model import ZERO, Fill, OrderState, Request
from orders.state.transitions import IllegalTransition, apply

Move = tuple[OrdStatus, OrdStatus]

PART, ALL, OVER = Decimal(5), Decimal(10), Decimal(15)
_LEVELS = (ZERO, PART, ALL, OVER)
_PRICE = Decimal(1)
_OWN = get_args(ev.OwnDecision)


def status_moves() -> frozenset[Move]:
    """Return every (from, to), different, that one write of an order's row can make.

    A write holds one decision of our own, or any number of a broker's facts: they are taken in together.
    """
    after_own, after_facts = _explore()
    seen = _statuses_after_facts(after_facts)
    moves = {(state.ord_status, later) for state, statuses in seen.items() for later in statuses}
    for state, laters in after_own.items():
        moves.update((state.ord_status, later.ord_status) for later in laters)
    return frozenset(move for move in moves if move[0] is not move[1])


_Graph = dict[OrderState, frozenset[OrderState]]


def _explore() -> tuple[_Graph, _Graph]:
    """Return what follows each simplified state: by one own decision, and by one fact."""
    after_own: _Graph = {}
    after_facts: _Graph = {}
    waiting = [OrderState(ALL), OrderState(ZERO)]  # the second is a cash order
    while waiting:
        state = waiting.pop()
        if state in after_facts:
            continue
        own: set[OrderState] = set()
        facts: set[OrderState] = set()
        for event, later in _steps(state):
            (own if isinstance(event, _OWN) else facts).add(later)
        after_own[state] = frozenset(map(_simplified, own))
        after_facts[state] = frozenset(map(_simplified, facts))
        waiting += after_own[state] | after_facts[state]
    return after_own, after_facts


def _statuses_after_facts(after_facts: _Graph) -> dict[OrderState, set[OrdStatus]]:
    """Return which statuses any number of facts lead to, by walking backwards until nothing is added."""
    before: dict[OrderState, list[OrderState]] = {state: [] for state in after_facts}
    for state, laters in after_facts.items():
        for later in laters:
            before[later].append(state)
    seen = {state: {state.ord_status} for state in after_facts}
    waiting = list(after_facts)
    while waiting:
        state = waiting.pop()
        for earlier in before[state]:
            if not seen[state] <= seen[earlier]:
                seen[earlier] |= seen[state]
                waiting.append(earlier)
    return seen


def _steps(state: OrderState) -> Iterator[tuple[ev.Event, OrderState]]:
    for shape in _shapes(state):
        for event in _events(shape):
            try:
                yield event, apply(shape, event)
            except IllegalTransition:
                continue


def _shapes(state: OrderState) -> Iterable[OrderState]:
    """Return the state with its fills as one, and as several of which one may be corrected or busted."""
    total = state.cum_qty
    if total <= PART:
        return (state,)
    parts = tuple(Fill(f"f{number}", PART, _PRICE) for number in range(int(total / PART)))
    return (state, replace(state, fills=parts))


def _simplified(state: OrderState) -> OrderState:
    order_qty = ALL if state.order_qty > ZERO else ZERO
    total = _level(state)
    kinds = sorted({(request.kind, request.stage) for request in state.open_requests})
    return replace(
        state,
        order_qty=order_qty,
        attempt=0,
        fills=(Fill("f0", total, _PRICE),) if total else (),
        retired=(),
        requests=tuple(Request(f"{kind} {stage}", kind, None, stage) for kind, stage in kinds),
    )


def _level(state: OrderState) -> Decimal:
    """Say how much of the order is executed, in quantities that stand for every other."""
    if state.cum_qty == ZERO:
        return ZERO
    if state.order_qty <= ZERO or state.cum_qty < state.order_qty:
        return PART
    return ALL if state.cum_qty == state.order_qty else OVER


def _events(state: OrderState) -> Iterator[ev.Event]:
    """Yield every event, in each variant that could make a difference to this state."""
    yield from (ev.Submitted(1), ev.NotSent(), ev.Denied(""))
    yield from (ev.CancelRequested("new"), ev.ReplaceRequested("new"))
    yield from (ev.RequestNotSent(request.id) for request in state.requests)
    yield from (
        ev.PendingNew(),
        ev.Acknowledged(),
        ev.Expired(),
        ev.Stopped(),
        ev.Suspended(),
        ev.Triggered(),
    )
    yield from (ev.DoneForDay(good_till) for good_till in (False, True))
    yield from (ev.Rejected(duplicate=duplicate) for duplicate in (False, True))
    yield from (ev.StatusReport(status) for status in OrdStatus)
    yield from _executions(state)
    yield from _resizings(state)
    yield from _answers(state)


def _executions(state: OrderState) -> Iterator[ev.Event]:
    known = [fill.exec_id for fill in state.fills]
    yield from (ev.Trade("new", quantity, _PRICE) for quantity in _LEVELS)
    yield from (ev.Bust("bust", name) for name in [*known, "unseen"])
    for name, quantity in product([*known, "unseen"], _LEVELS):
        yield ev.Correction("new", name, quantity, _PRICE)


def _resizings(state: OrderState) -> Iterator[ev.Event]:
    quantities = (*_LEVELS, OVER + PART)
    yield from (ev.Sized(quantity) for quantity in quantities)
    yield from (ev.Resized(quantity) for quantity in quantities)
    yield from (ev.Restated(quantity) for quantity in (None, *quantities))
    yield ev.Restated(state.order_qty * 2, state.cum_qty * 2)
    yield from (ev.Replaced("new", quantity) for quantity in quantities)


def _answers(state: OrderState) -> Iterator[ev.Event]:
    # What a report of a request says of quantities, or of how far the order is, may as well come by itself next.
    for name in (None, "new", *(request.id for request in state.requests)):
        yield from (ev.PendingCancel(name), ev.PendingReplace(name), ev.Replaced(name), ev.Canceled(name))
        yield from (ev.CancelRejected(name), ev.ReplaceRejected(name))
    said = (OrdStatus.REJECTED, OrdStatus.PENDING_NEW, OrdStatus.NEW)  # as far as the handlers tell apart
    yield from (ev.CancelRejected("new", status) for status in said)
