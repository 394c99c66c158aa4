"""What the sweeps change: entries that nobody sent in time."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect
from orders.models import Order
from orders.services.submission import deny_order


@contextmanager
def sweep_lock(name: str) -> Iterator[bool]:
    """Hold the lock of this sweep for the block; False where another process sweeps already."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('sweep'), hashtext(%s))", [name])
        yield bool(cursor.fetchone()[0])


def deny_stale_entries(limit: int = 500) -> int:
    """Deny entries that were not sent within ``ENTRY_MAX_AGE_SECONDS``; exits are never too old. Return how many.

    An order that waits for the market to open because its strategy says so is left alone.
    """
    oldest = timezone.now() - dt.timedelta(seconds=settings.ENTRY_MAX_AGE_SECONDS)
    stale = (
        Order.objects.filter(
            ord_status=OrdStatus.INITIALIZED, position_effect=PositionEffect.OPEN, received_at__lt=oldest
        )
        .exclude(strategy__queues_for_open=True)
        .order_by("id")
        .values_list("id", flat=True)[:limit]
    )
    text = "The entry was not sent before it grew too old."
    return sum(deny_order(order_id, reason="TOO_OLD", text=text, source="sweep") for order_id in stale)
