"""What a broker's idempotency class allows: may an order of unknown outcome be sent a second time?

| class | a second sending with the same id | so an order that the broker has not |
|---|---|---|
| A | is the same order, for ever | is sent again |
| B | is the same order for ``dedupe_window_seconds`` | is sent again inside the window, afterwards as C |
| C | is a second order | is never sent again by itself; a person decides |
"""

import datetime as dt

from django.conf import settings

from brokers.types import Capabilities, IdempotencyClass
from orders.models import Order

NOT_FOUND = "the broker has no such order"
"""The reason of a ``NotSent`` that rests on a look-up, and so on the broker's taking an id only once."""


def takes_id_once(order: Order, capabilities: Capabilities, now: dt.datetime) -> bool:
    """Say whether the broker would take a second sending of this order for the first.

    The window is counted from the first sending, and what is sent must arrive inside it.
    """
    if capabilities.idempotency_class is IdempotencyClass.A:
        return True
    window = capabilities.dedupe_window_seconds
    if capabilities.idempotency_class is IdempotencyClass.C or window is None or order.submitted_at is None:
        return False
    flight = dt.timedelta(seconds=settings.BROKER_TIMEOUT_SECONDS)
    return now < order.submitted_at + dt.timedelta(seconds=window) - flight


def repeats_too_late(order: Order, capabilities: Capabilities, now: dt.datetime) -> bool:
    """Say whether sending this order now could make a second one of it.

    A look-up has found it repeatable, and the window has closed since: it waited for its turn, or nobody was there
    to send it. Attempts that provably never left do not count.
    """
    if order.attempt == 0 or takes_id_once(order, capabilities, now):
        return False
    return order.events.filter(kind="NotSent", data__reason=NOT_FOUND).exists()
