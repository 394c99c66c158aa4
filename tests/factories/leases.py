"""Leases that somebody else holds."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

from orders.services.leases import HOLD, Fence


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
