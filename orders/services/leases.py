"""Take, renew, release and expire leases: one process acts for a trader, by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection


class LeaseLost(Exception):
    """This process may no longer act for its trader; whatever it was about to send was not sent."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Who acts: every transaction that leads to a sending proves that this lease still stands."""

    user_id: int
    worker: str
    host: str
    pid: int
    epoch: int


TAKE = """
INSERT INTO orders_workerlease AS lease
    (user_id, worker, host, pid, epoch, claimed_at, heartbeat_at, expires_at)
VALUES (%s, %s, %s, %s, 1, now(), now(), now() + make_interval(secs => %s))
ON CONFLICT (user_id) DO UPDATE SET
    worker = excluded.worker, host = excluded.host, pid = excluded.pid, epoch = lease.epoch + 1,
    claimed_at = CASE WHEN lease.worker = excluded.worker THEN lease.claimed_at ELSE excluded.claimed_at END,
    heartbeat_at = excluded.heartbeat_at, expires_at = excluded.expires_at
WHERE lease.expires_at <= now()
RETURNING epoch
"""

RENEW = """
UPDATE orders_workerlease AS lease
SET heartbeat_at = now(), expires_at = now() + make_interval(secs => %s)
FROM unnest(%s::bigint[], %s::bigint[]) AS held (user_id, epoch)
WHERE lease.user_id = held.user_id AND lease.epoch = held.epoch AND lease.expires_at > now()
RETURNING lease.user_id
"""

EXPIRE = """
UPDATE orders_workerlease SET expires_at = now() WHERE user_id = %s AND epoch = %s AND expires_at > now()
"""

HOLD = """
SELECT 1 FROM orders_workerlease WHERE user_id = %s AND epoch = %s AND expires_at > now() FOR SHARE
"""


def take_lease(*, user_id: int, worker: str, host: str, pid: int) -> Fence | None:
    """Take the trader's lease unless a live one is held; return the fence with its epoch, or None.

    One atomic statement: of two that claim at once, one wins. A worker that takes its own lease anew, after an
    outage, has claimed its trader before: that time stays.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [user_id, worker, host, pid, settings.LEASE_TTL_SECONDS])
        row = cursor.fetchone()
    return Fence(user_id, worker, host, pid, row[0]) if row else None


def renew_leases(held: Sequence[tuple[int, int]]) -> set[int]:
    """Renew every (user id, epoch) that is still live, in one statement; return the user ids renewed.

    A lease that has expired is never revived: somebody may have looked at it already.
    """
    users, epochs = [user for user, _ in held], [epoch for _, epoch in held]
    with connection.cursor() as cursor:
        cursor.execute(RENEW, [settings.LEASE_TTL_SECONDS, users, epochs])
        return {row[0] for row in cursor.fetchall()}


def expire_lease(*, user_id: int, epoch: int) -> bool:
    """End a lease at once (its process is gone, or lets go); return whether it was live."""
    with connection.cursor() as cursor:
        cursor.execute(EXPIRE, [user_id, epoch])
        return bool(cursor.rowcount)


def hold_lease(fence: Fence) -> None:
    """Hold the lease row for the rest of this transaction; raise ``LeaseLost`` where it does not stand."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [fence.user_id, fence.epoch])
        if cursor.fetchone() is None:
            raise LeaseLost(f"the lease of epoch {fence.epoch} has ended")
