"""One venue for one database: two engines would work on the same orders and tell two streams."""

from __future__ import annotations

import asyncio
import logging
import signal

import psycopg

from venue.db import Connection

log = logging.getLogger("venue.instance")

_KEY = 0x76656E7565_01
_GUARD_SECONDS = 2.0


class InstanceError(Exception):
    """Another venue process serves this database."""


class InstanceLock:
    """An advisory lock on a connection of its own; the server releases it when the process dies."""

    def __init__(self, database_url: str, wait_seconds: float) -> None:
        self._database_url = database_url
        self._wait_seconds = wait_seconds
        self._connection: Connection | None = None

    async def acquire(self) -> None:
        """Take the lock, waiting for a predecessor that is just dying; raises InstanceError if it lives."""
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while not await self._try():
            if asyncio.get_running_loop().time() > deadline:
                raise InstanceError("another venue process serves this database")
            await asyncio.sleep(0.1)

    async def guard(self) -> None:
        """Take the lock again when the database comes back; end the process if another venue has it."""
        while True:
            await asyncio.sleep(_GUARD_SECONDS)
            try:
                if self._connection is not None:
                    await self._connection.execute("SELECT 1")
                elif not await self._try():
                    log.critical("another venue process took over this database; this one ends")
                    signal.raise_signal(signal.SIGTERM)
                    return
            except psycopg.Error as error:
                log.warning("instance lock lost, taken again when the database is back: %s", error)
                await self.release()

    async def release(self) -> None:
        """Give the lock up; it need not be held."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _try(self) -> bool:
        connection = await psycopg.AsyncConnection.connect(
            self._database_url, autocommit=True, application_name="venue-instance", connect_timeout=5
        )
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_KEY,))
        row = await cursor.fetchone()
        if row and row[0]:
            self._connection = connection
            return True
        await connection.close()
        return False
