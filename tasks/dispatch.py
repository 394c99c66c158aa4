"""Hand recorded orders over to the worker that owns their trader."""

import redis
import structlog
from django.db import Error as DatabaseDown
from kombu.exceptions import OperationalError as BrokerDown

from failpoints import failpoint
from orders.selectors import has_live_lease
from tasks import routing
from tasks.queues import client

log = structlog.get_logger(__name__)


def hand_over(user_id: int) -> None:
    """Ring the trader's worker, and ask the pool for one where none holds the lease.

    Called after the commit that recorded the orders; the lease is read after it too, so that a worker that is just
    letting go either sees the order or is seen to be gone. Never raises for a dead Redis or PostgreSQL: the sweep
    rings again.
    """
    failpoint("bell.before")
    try:
        routing.ring(user_id)
        failpoint("bell.after")
        if not _is_covered(user_id):
            routing.claim(user_id)
    except BrokerDown as error:
        log.warning("doorbell not rung", user_id=user_id, error=str(error))


def _is_covered(user_id: int) -> bool:
    try:
        return has_live_lease(user_id)
    except DatabaseDown:
        return False  # a claim too many is harmless


NUDGE_MARK_SECONDS = 2


def nudge(user_id: int) -> None:
    """Ring for a trader again because something of theirs is due; never lets bells pile up."""
    try:
        if not client().set(f"nudged.{user_id}", 1, nx=True, ex=NUDGE_MARK_SECONDS):
            return
    except redis.RedisError as error:
        log.warning("doorbell not rung", user_id=user_id, error=str(error))
        return
    failpoint("nudge.marked")
    hand_over(user_id)
