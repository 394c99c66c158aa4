"""What the sweeps change: entries that nobody sent in time."""

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect
from orders.models import Order
from orders.services.retrying import retried
from orders.services.turns import REVERSING
from orders.services.unsent import deny_order

TOO_OLD_TEXT = "The entry was not sent before it grew too old."


@contextmanager
def sweep_lock(name: str) -> Iterator[bool]:
    """Hold the lock of this sweep for the block; False where another process sweeps already.

    Nothing is published in the block: PostgreSQL ends a transaction that stands still, and the lock with it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('sweep'), hashtext(%s))", [name])
        yield bool(cursor.fetchone()[0])


def stale_entries(limit: int = 500) -> list[uuid.UUID]:
    """Return entries that were not sent within ``ENTRY_MAX_AGE_SECONDS``; exits are never too old.

    An order that waits for the market to open because its strategy says so is left alone.
    """
    oldest = timezone.now() - dt.timedelta(seconds=settings.ENTRY_MAX_AGE_SECONDS)
    stale = Order.objects.filter(
        ord_status=OrdStatus.INITIALIZED,
        position_effect=PositionEffect.OPEN,
        received_at__lt=oldest,
        next_check_at__isnull=False,  # always so; it is the condition of the index that this reads
    ).exclude(strategy__queues_for_open=True)
    stale = stale.exclude(auto_exit=True, reason=REVERSING)  # as ``is_reversing`` has it
    return list(stale.order_by("id").values_list("id", flat=True)[:limit])


@retried
def deny_stale_entry(order_id: uuid.UUID) -> bool:
    """Deny an entry that nobody sent in time; return False where it has been sent or denied meanwhile."""
    return deny_order(order_id, reason="TOO_OLD", text=TOO_OLD_TEXT, source="sweep")
