"""The transition table: which event may happen when, and what it changes.

Own decisions are refused where they make no sense. Facts from a broker are never refused, whatever
order they come in: a fact that adds nothing leaves the state as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.types import OrdStatus
from orders.state import events as ev
from orders.state import fills, requests
from orders.state.model import ZERO, EndCause, Fill, OrderState, Phase, Request, RequestKind, RequestStage

Handler = Callable[[OrderState, Any], OrderState]


class IllegalTransition(Exception):
    """This event must not happen to an order in this state."""

    def __init__(self, state: OrderState, event: ev.Event) -> None:
        self.state = state
        self.event = event
        super().__init__(f"{type(event).__name__} is not allowed on an order that is {state.ord_status}")


def apply(state: OrderState, event: ev.Event) -> OrderState:
    """Return the state after ``event``; the same object where the event changes nothing.

    Raises IllegalTransition for an own decision that the table does not allow. Applying a broker's
    fact twice is safe.
    """
    phases, handler = TABLE[type(event)]
    if state.phase not in phases:
        raise IllegalTransition(state, event)
    return handler(state, event)


def replay(order_qty: Decimal, events: Iterable[ev.Event]) -> OrderState:
    """Rebuild a state from the first event on. Raises IllegalTransition as ``apply`` does."""
    state = OrderState(order_qty)
    for event in events:
        state = apply(state, event)
    return state


# Our own decisions


def _submit(state: OrderState, event: ev.Submitted) -> OrderState:
    # Also from SUBMITTED: a broker that dedupes ids may be sent the same order again after a look-up.
    # The attempt must grow, so two workers cannot both believe that they made the same sending.
    if event.attempt <= state.attempt:
        raise IllegalTransition(state, event)
    return replace(state, phase=Phase.SUBMITTED, attempt=event.attempt, end=None)


def _not_sent(state: OrderState, event: ev.NotSent) -> OrderState:
    return replace(state, phase=Phase.INITIALIZED, end=None)


def _resize(state: OrderState, event: ev.Resized) -> OrderState:
    # Only before a sending: what the broker has is changed by a replace.
    if event.order_qty <= ZERO:
        raise IllegalTransition(state, event)
    return replace(state, order_qty=event.order_qty)


def _deny(state: OrderState, event: ev.Denied) -> OrderState:
    return replace(state, phase=Phase.DENIED)


def _request(state: OrderState, event: ev.CancelRequested | ev.ReplaceRequested) -> OrderState:
    # A filled order may be asked to change: a replace upward re-opens it, and a bust may be under way.
    known = any(request.id == event.id for request in state.requests)
    if known or state.end is not None:
        raise IllegalTransition(state, event)
    if isinstance(event, ev.CancelRequested):
        made = Request(event.id, RequestKind.CANCEL)
    else:
        made = Request(event.id, RequestKind.REPLACE, event.order_qty)
    return replace(state, requests=(*state.requests, made))


def _request_not_sent(state: OrderState, event: ev.RequestNotSent) -> OrderState:
    kept = tuple(request for request in state.requests if request.id != event.id)
    gone = tuple(request for request in state.requests if request.id == event.id)
    if not gone or gone[0].stage in (RequestStage.PENDING, RequestStage.ACCEPTED, RequestStage.REFUSED):
        raise IllegalTransition(state, event)
    return replace(state, requests=kept)


# Facts from a broker

_RANK = {Phase.INITIALIZED: 0, Phase.DENIED: 0, Phase.SUBMITTED: 0, Phase.PENDING_NEW: 1, Phase.NEW: 2}


def _alive(state: OrderState, phase: Phase = Phase.NEW) -> OrderState:
    """Note that the broker knows the order; the phase only ever advances.

    From SUBMITTED a fill, say, implies the acknowledgement that is still to come. From INITIALIZED
    or DENIED the fact refutes our proof that nothing was sent, and wins. "Unknown order" is refuted.
    """
    if state.end is EndCause.UNKNOWN:
        state = replace(state, end=None)
    if _RANK[state.phase] >= _RANK[phase]:
        return state
    return replace(state, phase=phase)


def _ended(state: OrderState, cause: EndCause, cancel_id: str | None = None) -> OrderState:
    # The first cause stays. On a filled order the cause is kept though FILLED outranks it: should a
    # fill be busted, the order is over and does not work again.
    if state.end is not None:
        return state
    return replace(
        state,
        end=cause,
        requests=requests.close_requests(state, cancel_id),
        # These say how a live order is held back; what ended is not held back by them any more.
        # Reported *after* the end they do count, and precedence then shows them.
        done_for_day=False,
        stopped=False,
        suspended=False,
    )


def _pending_new(state: OrderState, event: ev.PendingNew) -> OrderState:
    return _alive(state, Phase.PENDING_NEW)


def _acknowledged(state: OrderState, event: ev.Acknowledged) -> OrderState:
    # A second New is a broker's way to say that the order works again after a halt or a night.
    again = state.phase is Phase.NEW and state.end is None
    return _released(_alive(state)) if again else _alive(state)


def _released(state: OrderState) -> OrderState:
    if not (state.done_for_day or state.suspended):
        return state
    return replace(state, done_for_day=False, suspended=False)


def _sized(state: OrderState, event: ev.Sized) -> OrderState:
    return replace(_alive(state, Phase.PENDING_NEW), order_qty=event.order_qty)


def _trade(state: OrderState, event: ev.Trade) -> OrderState:
    # Counts whatever the state: a fill after CANCELED is real (the status stays CANCELED by
    # precedence), and so is more than was ordered.
    before = _alive(state)
    after = fills.add_trade(before, Fill(event.exec_id, event.last_qty, event.last_px))
    if after is not before and after.done_for_day and after.good_till:
        return replace(after, done_for_day=False)  # another day has begun, restated or not
    return after


def _correction(state: OrderState, event: ev.Correction) -> OrderState:
    fill = Fill(event.exec_id, event.last_qty, event.last_px)
    return fills.correct_trade(_alive(state), fill, event.exec_ref_id)


def _bust(state: OrderState, event: ev.Bust) -> OrderState:
    return fills.bust_trade(_alive(state), event.exec_ref_id)


def _pending_cancel(state: OrderState, event: ev.PendingCancel) -> OrderState:
    # Received, not accepted: the acknowledgement may still be on its way (matrix B.1.d).
    return requests.confirm_pending(_alive(state, Phase.PENDING_NEW), event.id, RequestKind.CANCEL)


def _pending_replace(state: OrderState, event: ev.PendingReplace) -> OrderState:
    return requests.confirm_pending(_alive(state, Phase.PENDING_NEW), event.id, RequestKind.REPLACE)


def _canceled(state: OrderState, event: ev.Canceled) -> OrderState:
    return _ended(_alive(state), EndCause.CANCELED, event.id)


def _cancel_rejected(state: OrderState, event: ev.CancelRejected) -> OrderState:
    refused = requests.refuse_request(state, event.id, RequestKind.CANCEL)
    return _implied(refused, event.ord_status)


def _replace_rejected(state: OrderState, event: ev.ReplaceRejected) -> OrderState:
    refused = requests.refuse_request(state, event.id, RequestKind.REPLACE)
    return _implied(refused, event.ord_status)


def _implied(state: OrderState, status: OrdStatus | None) -> OrderState:
    """Take from a reported OrdStatus how far the order has come, and nothing else."""
    if status is None:
        return state
    if status is OrdStatus.REJECTED:
        # "Unknown order". Once the broker has told of an order, only an ExecutionReport ends it.
        unheard_of = state.phase is Phase.SUBMITTED and state.end is None
        return replace(state, end=EndCause.UNKNOWN) if unheard_of else state
    received = status in (OrdStatus.PENDING_NEW, OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE)
    return _alive(state, Phase.PENDING_NEW if received else Phase.NEW)


def _replaced(state: OrderState, event: ev.Replaced) -> OrderState:
    # A quantity above what is executed re-opens a filled order, and nothing re-opens a canceled one.
    return requests.accept_replace(_alive(state), event.id, event.order_qty)


def _restated(state: OrderState, event: ev.Restated) -> OrderState:
    state = _released(_alive(state))
    if event.order_qty is None:
        return state
    cum_qty = state.cum_qty
    if event.cum_qty is not None and cum_qty > ZERO and event.order_qty > ZERO:
        split = event.cum_qty * state.order_qty == cum_qty * event.order_qty
        if split and event.order_qty != state.order_qty:
            state = fills.split_fills(state, event.order_qty, state.order_qty)
    return replace(state, order_qty=event.order_qty)


def _expired(state: OrderState, event: ev.Expired) -> OrderState:
    return _ended(_alive(state), EndCause.EXPIRED, cancel_id="")


def _done_for_day(state: OrderState, event: ev.DoneForDay) -> OrderState:
    return replace(_alive(state), done_for_day=True, good_till=event.good_till)


def _stopped(state: OrderState, event: ev.Stopped) -> OrderState:
    return replace(_alive(state), stopped=True)


def _suspended(state: OrderState, event: ev.Suspended) -> OrderState:
    return replace(_alive(state), suspended=True)


def _triggered(state: OrderState, event: ev.Triggered) -> OrderState:
    return _alive(state)


def _rejected(state: OrderState, event: ev.Rejected) -> OrderState:
    # A duplicate's refusal is about the second sending: the live order stays as it is (matrix F.1.a).
    # A refusal of a second attempt does not say that the first never arrives: a sign of life withdraws it.
    # Told again it is refutable still.
    refutable = state.attempt > 1 and (state.phase is Phase.SUBMITTED or state.end is EndCause.UNKNOWN)
    state = _alive(state, Phase.PENDING_NEW)
    cause = EndCause.UNKNOWN if refutable else EndCause.REJECTED
    return state if event.duplicate else _ended(state, cause, cancel_id="")


def _status_report(state: OrderState, event: ev.StatusReport) -> OrderState:
    """Take over what a status can say of the order itself; fills come by their own reports only."""
    status = event.ord_status
    state = _implied(state, status)
    if status in _PENDING_KIND:
        return _confirm_oldest(state, _PENDING_KIND[status])
    # OrdStatus shows pending requests first: a status that shows none has none.
    state = requests.unconfirm_pending(state)
    if status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED) and state.end is None:
        return replace(_released(state), stopped=False)
    follow = _FOLLOWED.get(status)
    return state if follow is None else follow(state)


def _confirm_oldest(state: OrderState, kind: RequestKind) -> OrderState:
    request = requests.find_request(state, None, kind)
    return state if request is None else requests.confirm_pending(state, request.id, kind)


_PENDING_KIND = {
    OrdStatus.PENDING_CANCEL: RequestKind.CANCEL,
    OrdStatus.PENDING_REPLACE: RequestKind.REPLACE,
}
_FOLLOWED: dict[OrdStatus, Callable[[OrderState], OrderState]] = {
    OrdStatus.CANCELED: lambda state: _ended(state, EndCause.CANCELED),
    OrdStatus.EXPIRED: lambda state: _ended(state, EndCause.EXPIRED, cancel_id=""),
    OrdStatus.DONE_FOR_DAY: lambda state: replace(state, done_for_day=True),
    OrdStatus.STOPPED: lambda state: replace(state, stopped=True),
    OrdStatus.SUSPENDED: lambda state: replace(state, suspended=True),
}

ANY = frozenset(Phase)
SENT = frozenset({Phase.SUBMITTED, Phase.PENDING_NEW, Phase.NEW})

TABLE: dict[type[Any], tuple[frozenset[Phase], Handler]] = {
    # event: (phases in which it is allowed, what it changes)
    # Our own decisions: only where they make sense.
    ev.Submitted: (frozenset({Phase.INITIALIZED, Phase.SUBMITTED}), _submit),
    ev.NotSent: (frozenset({Phase.SUBMITTED}), _not_sent),  # never after a fact from the broker
    ev.Resized: (frozenset({Phase.INITIALIZED}), _resize),
    ev.Denied: (frozenset({Phase.INITIALIZED}), _deny),  # after Submitted only by way of NotSent
    ev.CancelRequested: (SENT, _request),  # an order not sent yet is denied instead
    ev.ReplaceRequested: (SENT, _request),
    ev.RequestNotSent: (SENT, _request_not_sent),
    # Facts: always, and the phase follows (``_alive``).
    ev.PendingNew: (ANY, _pending_new),  # late, it does not take NEW back
    ev.Acknowledged: (ANY, _acknowledged),  # after a fill or the end it changes nothing
    ev.Sized: (ANY, _sized),
    ev.Trade: (ANY, _trade),  # also after CANCELED; a known exec id changes nothing
    ev.Correction: (ANY, _correction),  # also before the trade that it corrects
    ev.Bust: (ANY, _bust),  # FILLED -> PARTIALLY_FILLED; also before the trade
    ev.PendingCancel: (ANY, _pending_cancel),  # FILLED -> PENDING_CANCEL, by precedence
    ev.Canceled: (ANY, _canceled),  # asked for or not
    ev.CancelRejected: (ANY, _cancel_rejected),  # back to whatever the other facts say
    ev.PendingReplace: (ANY, _pending_replace),
    ev.Replaced: (ANY, _replaced),  # FILLED -> PARTIALLY_FILLED when upward
    ev.ReplaceRejected: (ANY, _replace_rejected),
    ev.Restated: (ANY, _restated),  # DONE_FOR_DAY, SUSPENDED -> working
    ev.Expired: (ANY, _expired),
    ev.DoneForDay: (ANY, _done_for_day),
    ev.Stopped: (ANY, _stopped),  # never a fill
    ev.Suspended: (ANY, _suspended),
    ev.Triggered: (ANY, _triggered),
    ev.Rejected: (ANY, _rejected),  # NEW -> REJECTED is legal; a duplicate's touches nothing
    ev.StatusReport: (ANY, _status_report),  # never a fill
}
