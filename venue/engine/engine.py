"""The matching engine: works each open order until it rests, waits or ends.

The database is the truth and the engine only an index of it: after a restart, or after a failed commit whose
outcome is unknown, ``resync`` reads the open orders again and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import args_row
from psycopg_pool import PoolTimeout

from venue.db import Pool
from venue.engine.advance import advance
from venue.engine.book import Book, OrderRef, is_reached
from venue.engine.decide import Decision, Scene, Verdict
from venue.engine.market import Market
from venue.engine.trailing import fresher
from venue.engine.transaction import LIVE, Accounts
from venue.hours import MarketHours, PlannedHours
from venue.models import Order, Quote, utc_now

log = logging.getLogger("venue.engine")

RETRY_SECONDS = 0.5
SAVE_SECONDS = 5.0
IN_PLAY_SECONDS = 30.0
_OPEN_REFS = f"SELECT id, account_id FROM orders WHERE {LIVE} ORDER BY number"  # noqa: S608 - a constant
_OPEN_IN_SYMBOL = f"SELECT id, account_id FROM orders WHERE {LIVE} AND symbol = %s ORDER BY number"  # noqa: S608
_STORE_MARKS = (
    "UPDATE orders SET hwm = mark.hwm, stop_price = mark.stop"
    " FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[]) AS mark (id, hwm, stop)"
    " WHERE orders.id = mark.id AND NOT triggered AND"
    " CASE side WHEN 'sell' THEN orders.hwm < mark.hwm ELSE orders.hwm > mark.hwm END"
)
TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


class Engine:
    """Schedules work on orders, moves the market, and turns its sessions."""

    def __init__(
        self,
        pool: Pool,
        accounts: Accounts,
        market: Market,
        hours: MarketHours,
        *,
        fill_delay: float,
        tick: float,
    ) -> None:
        self.market = market
        self.hours = hours
        self.book = Book()
        self.fill_delay_seconds = fill_delay
        self.planned: PlannedHours | None = None
        self.halted: set[str] = set()
        self._pool = pool
        self._accounts = accounts
        self._tick_seconds = tick
        self._was_open = True
        self._asked: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._resyncing = False
        self._stopped = False

    @property
    def is_open(self) -> bool:
        """Whether orders execute now."""
        return (self.planned or self.hours).is_open(utc_now())

    def next_turns(self) -> tuple[datetime, datetime]:
        """Return the next opening and the next closing."""
        now, hours = utc_now(), self.planned or self.hours
        return hours.next_open(now), hours.next_close(now)

    async def start(self) -> None:
        """Take up the stored prices and the open orders, and begin to tick."""
        async with self._pool.connection() as connection:
            await self.market.load(connection)
        self._was_open = self.is_open
        await self.resync()
        self._spawn(self._tick_forever())
        self._spawn(self._save_forever())

    async def stop(self) -> None:
        """Stop ticking and working, and store the prices."""
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.market.save(self._pool)

    def quote(self, symbol: str) -> Quote:
        """Return a quote and keep the symbol in play for a while."""
        self._asked[symbol] = time.monotonic()
        return self.market.quote(symbol)

    def schedule(self, ref: OrderRef, delay_seconds: float, *, waited: bool = False) -> None:
        """Work on an order after a delay; doing it once too often is harmless."""
        loop = asyncio.get_running_loop()
        loop.call_later(delay_seconds, self._begin, ref, waited)

    def _begin(self, ref: OrderRef, waited: bool) -> None:
        if not self._stopped:
            self._spawn(self._work(ref, waited=waited))

    def match(self, symbol: str) -> None:
        """Let trailing stops follow the symbol's present quote, and wake what it reaches."""
        if symbol in self.halted:
            return
        quote = self.market.quote(symbol)
        # A trailing stop moves in regular hours only.
        if self.is_open and (moved := self.book.ratchet(symbol, quote)):
            self._spawn(self._store_marks(moved))
        for ref in self.book.take_reached(symbol, quote):
            self.schedule(ref, 0)

    async def _store_marks(self, orders: list[Order]) -> None:
        ids = [order.id for order in orders]
        marks, stops = [order.hwm for order in orders], [order.stop_price for order in orders]
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_STORE_MARKS, (ids, marks, stops))
        except TRANSIENT as error:
            # They are still in the book, and stored again with the next better quote or the election.
            log.warning("marks of trailing stops not stored: %s", error)

    async def resume(self, symbol: str) -> None:
        """End a halt, and work on everything that waited for it."""
        self.halted.discard(symbol)
        self.match(symbol)
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=args_row(OrderRef))
            await cursor.execute(_OPEN_IN_SYMBOL, (symbol,))
            for ref in await cursor.fetchall():
                self.schedule(ref, 0)

    def advance(self, steps: int) -> None:
        """Move every symbol in play by some steps at once, matching after each."""
        for _ in range(steps):
            for symbol in self._in_play():
                if self.market.step(symbol):
                    self.match(symbol)

    async def resync(self) -> None:
        """Work on every open order of the database as if it had just arrived."""
        for ref in await self._open_refs():
            self.schedule(ref, 0)

    def doubt(self) -> None:
        """Arrange a resync, because a commit's outcome is not known."""
        if not self._resyncing:
            self._resyncing = True
            self._spawn(self._resync_until_done())

    async def turn_session(self) -> None:
        """Apply an opening or a closing if there was one since the last call."""
        is_open = self.is_open
        if is_open == self._was_open:
            return
        self._was_open = is_open
        for ref in await self._open_refs():
            if is_open:
                self.schedule(ref, 0)
            else:
                self._spawn(self._work(ref, closing=True))

    async def _open_refs(self) -> list[OrderRef]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=args_row(OrderRef))
            await cursor.execute(_OPEN_REFS)
            return await cursor.fetchall()

    async def _resync_until_done(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await self.resync()
            except TRANSIENT as error:
                log.warning("resync waits for the database: %s", error)
                continue
            self._resyncing = False
            return

    async def _work(self, ref: OrderRef, *, waited: bool = False, closing: bool = False) -> None:
        try:
            async with self._accounts.transaction(ref.account_id) as unit:
                loaded = await unit.load_order(ref.order_id)
                if loaded is None or not loaded[0].is_open:
                    self.book.remove(ref.order_id)
                    return
                order, position = loaded
                order = fresher(order, self.book.trailing(order.symbol, order.id))
                scene = self.scene(order.symbol, waited=waited, closing=closing)
                outcome = await advance(unit, order, position, scene)
        except TRANSIENT as error:
            log.warning("order %s waits for the database: %s", ref.order_id, error)
            await asyncio.sleep(RETRY_SECONDS)
            self._spawn(self._work(ref, waited=waited, closing=closing))
            return
        self._follow(outcome.order, outcome.decision)
        self.look_after(outcome.others)

    def scene(self, symbol: str, *, waited: bool = False, closing: bool = False) -> Scene:
        """Return the present surroundings of an order in a symbol."""
        return Scene(
            self.market.quote(symbol),
            utc_now(),
            is_open=self.is_open,
            halted=symbol in self.halted,
            closing=closing,
            waited=waited,
        )

    def look_after(self, orders: Iterable[Order]) -> None:
        """Take up orders that something else than their own work has changed."""
        for order in orders:
            if order.is_open:
                self.schedule(OrderRef(order.id, order.account_id), 0)
            else:
                self.book.forget(order)

    def _follow(self, order: Order, decision: Decision) -> None:
        if not order.is_open:
            self.book.forget(order)
            return
        order = fresher(order, self.book.trailing(order.symbol, order.id))
        self.book.remove(order.id)
        ref = OrderRef(order.id, order.account_id)
        if decision.verdict is Verdict.WAIT:
            self.schedule(ref, decision.wait_ms / 1000, waited=True)
        elif decision.verdict is Verdict.REST:
            # The quote may have moved while the unit committed; the next one may be long in coming.
            if is_reached(order, self.market.quote(order.symbol)):
                self.schedule(ref, 0)
            else:
                self.book.add(order)

    def _in_play(self) -> set[str]:
        horizon = time.monotonic() - IN_PLAY_SECONDS
        self._asked = {symbol: at for symbol, at in self._asked.items() if at > horizon}
        return {*self.book.symbols(), *self._asked} - self.halted

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self._tick_seconds or 1.0)
            if self._tick_seconds and not self.market.paused:
                self.advance(1)
            try:
                await self.turn_session()
            except TRANSIENT as error:
                # The database is away; the same turn is tried again at the next tick.
                self._was_open = not self.is_open
                log.warning("session change waits for the database: %s", error)

    async def _save_forever(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await self.market.save(self._pool)
            except TRANSIENT as error:
                log.warning("prices not stored, tried again: %s", error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("engine work failed", exc_info=error)
