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
WHERE lease.expires_at <= now() OR lease.worker = excluded.worker
RETURNING epoch
"""

RENEW = """
WITH free AS (
    SELECT lease.user_id
    FROM orders_workerlease AS lease
    JOIN unnest(%s::bigint[], %s::bigint[]) AS held (user_id, epoch)
        ON lease.user_id = held.user_id AND lease.epoch = held.epoch
    WHERE lease.expires_at > now()
    FOR NO KEY UPDATE OF lease SKIP LOCKED
)
UPDATE orders_workerlease AS lease
SET heartbeat_at = now(), expires_at = now() + make_interval(secs => %s)
FROM free WHERE lease.user_id = free.user_id
RETURNING lease.user_id
"""

STANDING = """
SELECT lease.user_id
FROM orders_workerlease AS lease
JOIN unnest(%s::bigint[], %s::bigint[]) AS held (user_id, epoch)
    ON lease.user_id = held.user_id AND lease.epoch = held.epoch
WHERE lease.expires_at > now()
"""

EXPIRE = """
UPDATE orders_workerlease SET expires_at = now() WHERE user_id = %s AND epoch = %s AND expires_at > now()
"""

HOLD = """
SELECT 1 FROM orders_workerlease WHERE user_id = %s AND epoch = %s AND expires_at > now() FOR SHARE
"""


def take_lease(*, user_id: int, worker: str, host: str, pid: int) -> Fence | None:
    """Take the trader's lease unless a live one is held; return the fence with its epoch, or None.

    One atomic statement: of two that claim at once, one wins. A worker takes its own lease anew, live or not: it may
    have been given an epoch in a commit of which it never heard. It has claimed its trader before: that time stays.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [user_id, worker, host, pid, settings.LEASE_TTL_SECONDS])
        row = cursor.fetchone()
    return Fence(user_id, worker, host, pid, row[0]) if row else None


def renew_leases(held: Sequence[tuple[int, int]]) -> set[int]:
    """Renew every (user id, epoch) that is still live, in one statement; return the user ids renewed.

    A lease that has expired is never revived: somebody may have looked at it already. One that somebody holds
    (``hold_lease``) is left out and not waited for: its holder may stand still for good, and all others would with it.
    ``standing_leases`` tells such a lease from one that has ended.
    """
    users, epochs = [user for user, _ in held], [epoch for _, epoch in held]
    with connection.cursor() as cursor:
        cursor.execute(RENEW, [users, epochs, settings.LEASE_TTL_SECONDS])
        return {row[0] for row in cursor.fetchall()}


def standing_leases(held: Sequence[tuple[int, int]]) -> set[int]:
    """Return the user ids of those (user id, epoch) that are live; waits for nobody."""
    users, epochs = [user for user, _ in held], [epoch for _, epoch in held]
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [users, epochs])
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
