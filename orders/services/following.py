"""When an order that has not ended must be looked at again. Pure arithmetic over settings."""

import datetime as dt

from django.conf import settings

from brokers.types import OrdStatus, OrdType
from orders.models import Order


def next_check(order: Order, now: dt.datetime) -> dt.datetime:
    """Return when to ask the broker about this order again, given how often it was asked (``order.checks``).

    | order | when |
    |---|---|
    | recorded, not sent | ``UNDELIVERED_SECONDS``: its doorbell may have been lost; not before it may be sent |
    | in flight | ``UNRESOLVED_SECONDS``: whoever finds it like this later looks it up |
    | outcome unknown | ``LOOKUP_DELAYS_SECONDS`` (0, 1, 2, 4), then every ``VERIFY_RETRY_SECONDS`` |
    | market order, not filled | ``VERIFY_FIRST_SECONDS`` (2), then every ``VERIFY_RETRY_SECONDS`` (30) |
    | resting order | the same for ``VERIFY_RETRIES`` times, then every ``VERIFY_SLOW_SECONDS`` (300) |
    """
    at = now + dt.timedelta(seconds=_delay_seconds(order))
    if order.ord_status == OrdStatus.INITIALIZED and order.eligible_at is not None:
        return max(at, order.eligible_at)
    return at


def _delay_seconds(order: Order) -> float:
    if order.ord_status == OrdStatus.INITIALIZED:
        return settings.UNDELIVERED_SECONDS
    if order.ord_status == OrdStatus.SUBMITTED:
        delays = settings.LOOKUP_DELAYS_SECONDS
        if order.checks == 0:
            return settings.UNRESOLVED_SECONDS
        return delays[order.checks] if order.checks < len(delays) else settings.VERIFY_RETRY_SECONDS
    if order.checks == 0:
        return settings.VERIFY_FIRST_SECONDS
    if order.ord_type == OrdType.MARKET or order.checks <= settings.VERIFY_RETRIES:
        return settings.VERIFY_RETRY_SECONDS
    return settings.VERIFY_SLOW_SECONDS


def needs_attention(order: Order) -> bool:
    """Say whether an order has been followed for so long that a person should know."""
    if order.ord_status == OrdStatus.SUBMITTED:
        return order.checks >= len(settings.LOOKUP_DELAYS_SECONDS)
    return order.ord_type == OrdType.MARKET and order.checks > settings.VERIFY_RETRIES
