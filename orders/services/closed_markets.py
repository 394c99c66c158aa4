"""An entry for a closed market is refused and told the next opening, or waits for it where its strategy says so.

Only what is known holds an entry back: where the hours are not known, its broker decides. An exit is always sent; so
is an order for the opening auction, which brokers take before the market opens.
"""

import datetime as dt
from dataclasses import dataclass

from brokers.errors import MarketClosed
from brokers.hours.wording import closed_words
from brokers.types import PositionEffect, TimeInForce
from orders.hours import hours_of
from orders.models import Order
from orders.services.changes import Change
from orders.state import Denied

MARKET_CLOSED = "MARKET_CLOSED"


@dataclass(frozen=True, slots=True)
class Closed:
    """Why an order is not sent now, in words, and when its market opens (None: that is not known)."""

    words: str
    opens_at: dt.datetime | None


def closed_market(order: Order, at: dt.datetime) -> Closed | None:
    """Return what holds this order back at that moment; None where it is to be sent."""
    if order.position_effect == PositionEffect.CLOSE or order.time_in_force == TimeInForce.OPG:
        return None
    hours = hours_of(order.account.market_of(order.symbol))
    if not hours.is_closed(at):
        return None
    opens_at = hours.next_open(at)
    if opens_at is None and queues_for_open(order):
        return None  # nobody knows how long to wait, but its broker may
    return Closed(closed_words(hours.market, opens_at), opens_at)


def closed_at_broker(order: Order, error: MarketClosed, at: dt.datetime) -> Closed:
    """Return the broker's own word that its market is closed, with the opening that it names or that we know."""
    hours = hours_of(order.account.market_of(order.symbol))
    opens_at = error.next_open
    if opens_at is None and hours.is_closed(at):
        opens_at = hours.next_open(at)
    return Closed(closed_words(hours.market, opens_at), opens_at)


def queues_for_open(order: Order) -> bool:
    """Say whether this entry waits for the market to open instead of being refused."""
    return order.strategy is not None and order.strategy.queues_for_open


def hold_back(change: Change, closed: Closed, *, until: dt.datetime | None, at: dt.datetime) -> None:
    """Have a recorded order wait until then, or deny it where it is an entry that does not wait.

    Either way it says why, and by ``eligible_at`` when it may be tried.
    """
    order = change.order
    change.set(reason=MARKET_CLOSED, text=closed.words)
    if order.position_effect == PositionEffect.OPEN and not queues_for_open(order):
        change.apply(Denied(MARKET_CLOSED), at=at)
        change.set(eligible_at=closed.opens_at)
        return
    change.set(eligible_at=until, next_check_at=until or order.next_check_at)
    change.note("HeldBack", at=at, data={"reason": MARKET_CLOSED, "why": closed.words})
