"""Tell an outage of PostgreSQL or Redis from a fault of the work itself."""

import redis
from django.db import InterfaceError, OperationalError

OUTAGE_CLASSES = ("08", "53", "57P")
"""SQLSTATEs by their beginnings: no connection, no resources, shutting down or starting up."""


def is_outage(error: BaseException) -> bool:
    """Say whether PostgreSQL or Redis was away: trying again later helps, and nothing is wrong with the work.

    A statement that ran out of its time, a deadlock and a lock not given are no outages.
    """
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return True
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(OUTAGE_CLASSES)
