"""What an OCO's two orders share: until the broker names the stop, it goes the way of the order it is sent with."""

from __future__ import annotations

from orders.state import Denied, EndCause, Event, NotSent, OrderState, Phase, Rejected, Submitted

_REFUSED = (EndCause.REJECTED, EndCause.UNKNOWN)


def shared_event(main: OrderState, stop: OrderState) -> Event | None:
    """Return what has happened to the stop by what has happened to the other order; None where nothing has."""
    if stop.at_broker or stop.is_terminal:
        return None  # it has a life of its own, or none
    if main.phase is Phase.DENIED:
        return Denied("ITS_OTHER_ORDER") if stop.phase is Phase.INITIALIZED else None
    if main.end in _REFUSED:
        return Rejected() if stop.phase is Phase.SUBMITTED else None
    if main.phase is Phase.INITIALIZED:
        return NotSent() if stop.phase is Phase.SUBMITTED else None
    return Submitted(main.attempt) if main.attempt > stop.attempt else None
