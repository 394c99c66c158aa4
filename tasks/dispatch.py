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
    try:
        _ring(user_id)
        if not _is_covered(user_id):
            routing.claim(user_id)
    except BrokerDown as error:
        log.warning("doorbell not rung", user_id=user_id, error=str(error))


def _ring(user_id: int, *, expires_seconds: float | None = None) -> None:
    failpoint("bell.before")
    routing.ring(user_id, expires_seconds=expires_seconds)
    failpoint("bell.after")


def _is_covered(user_id: int) -> bool:
    try:
        return has_live_lease(user_id)
    except DatabaseDown:
        return False  # a claim too many is harmless


NUDGE_MARK_SECONDS = 2
NUDGE_EXPIRES_SECONDS = 10.0
"""What is still unread then has been nudged for again: a worker that comes back drops it without a look."""
MOST_WAITING = 1000
"""Messages of a queue that nobody reads, above which nobody is nudged through it."""


def nudge(user_id: int) -> None:
    """Tell the trader's worker, or the pool where there is none, that something is due.

    Never lets messages pile up, however long nobody reads them. Whoever takes the claim looks for work at once: no
    bell is needed with it.
    """
    try:
        if not client().set(f"nudged.{user_id}", 1, nx=True, ex=NUDGE_MARK_SECONDS):
            return
        failpoint("nudge.marked")
        covered = _is_covered(user_id)
        if client().llen(routing.user_queue(user_id) if covered else routing.POOL_QUEUE) >= MOST_WAITING:
            return
        if covered:
            _ring(user_id, expires_seconds=NUDGE_EXPIRES_SECONDS)
        else:
            routing.claim(user_id, expires_seconds=NUDGE_EXPIRES_SECONDS)
    except (redis.RedisError, BrokerDown) as error:
        log.warning("doorbell not rung", user_id=user_id, error=str(error))
