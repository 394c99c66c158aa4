"""Leases, and those that somebody else holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg
from django.db import connection

from orders.services.leases import HOLD, Fence, take_lease
from orders.services.processes import process_began_at, worker_name
from tests.factories.traders import Desk


def lease_of(desk: Desk, *, host: str = "h", pid: int = 1) -> Fence:
    """Have a process take the trader's lease; nobody else may hold it."""
    worker = _name(pid, host, process_began_at(pid))
    fence = take_lease(user_id=desk.user.id, worker=worker, host=host, pid=pid)
    assert fence is not None
    return fence


@cache
def _name(pid: int, host: str, began_at: float | None) -> str:
    """Return the name of a process: always the same, until another has its number."""
    return worker_name(pid=pid, host=host)


@contextmanager
def held_by_another(fence: Fence) -> Iterator[None]:
    """Have another connection stand still within a transaction that holds this lease.

    Ours waits for nobody meanwhile: what would, fails after a second.
    """
    own = connection.get_connection_params()
    wanted = {name: own[name] for name in ("host", "port", "user", "password", "dbname") if name in own}
    with psycopg.connect(**wanted) as other:
        assert other.execute(HOLD, [fence.user_id, fence.epoch]).fetchone() == (1,)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 1000")
        try:
            yield
        finally:
            connection.close()
