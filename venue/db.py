"""The connection pool."""

from __future__ import annotations

from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

POOL_TIMEOUT_SECONDS = 3.0

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]
Pool: TypeAlias = AsyncConnectionPool[Connection]


async def _configure(connection: Connection) -> None:
    # Every statement of the venue is repeated for ever: plan each one once per connection.
    connection.prepare_threshold = 0
    await connection.execute("SET statement_timeout = '5s'")
    await connection.execute("SET timezone = 'UTC'")


def new_pool(database_url: str, size: int) -> Pool:
    """Return a pool that is not open yet, in autocommit so that transactions are always explicit."""
    return AsyncConnectionPool(
        database_url,
        min_size=min(2, size),
        max_size=size,
        timeout=POOL_TIMEOUT_SECONDS,
        kwargs={"autocommit": True, "application_name": "venue"},
        configure=_configure,
        open=False,
        name="venue",
        reconnect_timeout=2.0,
    )
