"""Tell an outage of PostgreSQL or Redis from a fault of the work itself."""

import redis
from django.db import InterfaceError, InternalError, OperationalError

OUTAGE_CLASSES = ("08", "53", "57P")
"""SQLSTATEs by their beginnings: no connection, no resources, shutting down or starting up."""
STOOD_STILL = "25P03"
"""PostgreSQL has ended a connection that stood still within a transaction; nothing of that has happened."""


HELD_UP = ("57014", "55P03")
"""A statement ran out of its time, or a lock was not given: somebody holds a row that it needs."""


def is_held_up(error: BaseException) -> bool:
    """Say whether a statement waited in vain for what somebody else holds; PostgreSQL itself is well."""
    return getattr(error.__cause__, "sqlstate", None) in HELD_UP


def is_outage(error: BaseException) -> bool:
    """Say whether PostgreSQL or Redis was away: trying again later helps, and nothing is wrong with the work.

    A statement that ran out of its time, a deadlock and a lock not given are no outages.
    """
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return True
    if isinstance(error, InterfaceError):
        return True
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if isinstance(error, InternalError):
        return sqlstate == STOOD_STILL
    if not isinstance(error, OperationalError):
        return False
    return sqlstate is None or sqlstate.startswith(OUTAGE_CLASSES)
