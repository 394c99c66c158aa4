"""Replies: how the web process learns within milliseconds that an order has been answered.

Workers add to one Redis stream; one reader in each web process wakes whoever waits for that order. A reply that is
lost costs time, never truth: whoever waits reads the order's row in the end.
"""

import asyncio
import threading
import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import redis
import redis.asyncio
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from brokers.types import OrdStatus, OrdType
from failpoints import failpoint
from orders.models import Order
from orders.services.changes import note_reply
from orders.services.leases import Fence

log = structlog.get_logger(__name__)

BLOCK_MS = 5000
RECONNECT_SECONDS = 0.1
PING_SECONDS = 1.0
REDIS_AWAY = (redis.RedisError, OSError, RuntimeError)
"""The last is uvloop's word for a connection that was reset: "the handler is closed"."""


def answer(order: Order, fence: Fence) -> None:
    """Wake whoever waits for this order, if it can be answered now. Never raises for a dead Redis."""
    if not is_answerable(order):
        return
    failpoint("reply.before")
    if _wake_waiter(order.id):
        failpoint("reply.after")
        note_reply(order, fence)


def answer_requests(settled: Iterable[uuid.UUID]) -> None:
    """Wake whoever waits for these cancels and replaces, or for an order that one of them has settled.

    Never raises for a dead Redis.
    """
    for key in settled:
        _wake_waiter(key)
        failpoint("request.reply.after")


def _wake_waiter(key: uuid.UUID) -> bool:
    try:
        _writer().xadd(settings.REPLY_STREAM, {"for": key.bytes}, maxlen=settings.REPLY_STREAM_MAXLEN)
    except redis.RedisError as error:
        log.warning("reply not sent", key=str(key), error=str(error))
        return False
    return True


def is_answerable(order: Order) -> bool:
    """Say whether the sender can be told: a market order once it has ended, others once the broker has them."""
    if order.ord_type == OrdType.MARKET:
        return order.ended
    return order.ended or order.ord_status not in (OrdStatus.INITIALIZED, OrdStatus.SUBMITTED)


@lru_cache(maxsize=1)
def _writer() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, retry=Retry(NoBackoff(), 1))


class TooManyWaiting(Exception):
    """This web process already waits for as many orders as it may; answer 202 at once."""


class ReplyBoard:
    """Who waits for which order in this web process, and the one task that wakes them."""

    def __init__(self) -> None:
        # Weak, so that a request which was given up half-way leaves nothing behind.
        self._waiting: WeakValueDictionary[uuid.UUID, asyncio.Event] = WeakValueDictionary()
        self._registering = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closed = False
        self._pinging: asyncio.Task[bool] | None = None
        # A blocking read needs a socket timeout above its block time and no retries, or a dead Redis
        # would be noticed only after a minute. Pings go by a connection of their own.
        self._blocking = self._client(BLOCK_MS / 1000 + 2)
        self._quick = self._client(PING_SECONDS)

    @staticmethod
    def _client(timeout_seconds: float) -> redis.asyncio.Redis:
        return redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=PING_SECONDS,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
        )

    async def ready(self) -> bool:
        """Say whether Redis answers; start the reader where it does not run yet.

        Whoever asks while a ping is under way shares its answer: a burst of alerts would need more connections
        than the pool has, and take that for a dead Redis.
        """
        loop = asyncio.get_running_loop()
        if self._reader is None or self._reader.done():
            self._loop = loop
            self._reader = loop.create_task(self._read())
        if self._pinging is None or self._pinging.done():
            self._pinging = loop.create_task(self._ping())
        return await asyncio.shield(self._pinging)

    async def _ping(self) -> bool:
        try:
            await self._quick.ping()
        except REDIS_AWAY:
            return await self._ping_again()
        return True

    async def close(self) -> None:
        """Stop the reader and drop the connections; nobody is woken any more."""
        self._closed = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._blocking.aclose()
        await self._quick.aclose()
        await asyncio.sleep(0)  # a transport is closed by its loop's next turn

    async def _ping_again(self) -> bool:
        """Ping by a new connection: the old one may have died with a Redis that is back by now."""
        try:
            await self._quick.connection_pool.disconnect()
            await self._quick.ping()
        except REDIS_AWAY:
            return False
        return True

    def expect(self, order_ids: Iterable[uuid.UUID]) -> "Waiter":
        """Register for replies about these orders, before their bell rings. Safe from any thread.

        Raises ``TooManyWaiting`` beyond ``REPLY_MAX_WAITERS``.
        """
        if len(self._waiting) >= settings.REPLY_MAX_WAITERS:
            raise TooManyWaiting
        # Two may wait for the same thing, as for the one open cancel of an order: they share its event.
        with self._registering:
            return Waiter({key: self._waiting.setdefault(key, asyncio.Event()) for key in order_ids})

    async def _read(self) -> None:
        last_id = b"$"
        while not self._closed:
            try:
                if last_id == b"$":
                    last_id = await self._newest_id()
                answer: Any = await self._blocking.xread({settings.REPLY_STREAM: last_id}, block=BLOCK_MS)
            except REDIS_AWAY as error:
                log.warning("replies not readable", error=str(error))
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    last_id = entry_id
                    self._wake(fields)

    async def _newest_id(self) -> bytes:
        newest: Any = await self._blocking.xrevrange(settings.REPLY_STREAM, count=1)
        return bytes(newest[0][0]) if newest else b"0-0"

    def _wake(self, fields: dict[bytes, bytes]) -> None:
        event = self._waiting.get(uuid.UUID(bytes=fields[b"for"]))
        if event is not None:
            event.set()


class Waiter:
    """One wait; use it as a context manager so that it is forgotten. The board holds its events weakly."""

    def __init__(self, events: dict[uuid.UUID, asyncio.Event]) -> None:
        self._events = events

    def __enter__(self) -> "Waiter":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._events.clear()

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait until every order has been answered, at most so long; return whether all were."""
        try:
            async with asyncio.timeout(max(timeout_seconds, 0)):
                for event in list(self._events.values()):
                    await event.wait()
        except TimeoutError:
            return False
        return True


@lru_cache(maxsize=1)
def board() -> ReplyBoard:
    """Return this web process's board."""
    return ReplyBoard()
