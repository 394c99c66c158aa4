"""The matching engine: works each open order until it rests, waits or ends.

The database is the truth and the engine only an index of it: after a restart, or after a failed commit whose
outcome is unknown, ``resync`` reads the open orders again and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import args_row
from psycopg_pool import PoolTimeout

from venue.db import Pool
from venue.engine import transitions
from venue.engine.book import Book, OrderRef, is_reached
from venue.engine.decide import Decision, Scene, Verdict, decide
from venue.engine.market import Market
from venue.engine.positions import apply_fill
from venue.engine.transaction import OPEN, Accounts, AccountTransaction
from venue.hours import MarketHours
from venue.models import Change, Order, Position, Quote, utc_now

log = logging.getLogger("venue.engine")

RETRY_SECONDS = 0.5
SAVE_SECONDS = 5.0
IN_PLAY_SECONDS = 30.0
_OPEN_REFS = f"SELECT id, account_id FROM orders WHERE {OPEN} ORDER BY number"  # noqa: S608 - a constant
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
        self.session_override: bool | None = None
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
        if self.session_override is not None:
            return self.session_override
        return self.hours.is_open(utc_now())

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
        """Wake what the symbol's present quote reaches."""
        for ref in self.book.take_reached(symbol, self.market.quote(symbol)):
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
                order, decision = self._advance_order(unit, *loaded, waited=waited, closing=closing)
        except TRANSIENT as error:
            log.warning("order %s waits for the database: %s", ref.order_id, error)
            await asyncio.sleep(RETRY_SECONDS)
            self._spawn(self._work(ref, waited=waited, closing=closing))
            return
        self._follow(order, decision)

    def _advance_order(
        self, unit: AccountTransaction, order: Order, position: Position, *, waited: bool, closing: bool
    ) -> tuple[Order, Decision]:
        quote = self.market.quote(order.symbol)
        scene = Scene(quote, utc_now(), is_open=self.is_open, closing=closing, waited=waited)
        while order.is_open:
            decision = decide(order, scene)
            if decision.verdict in (Verdict.REST, Verdict.HOLD, Verdict.WAIT):
                break
            if decision.verdict is Verdict.FILL:
                position, delta = apply_fill(position, order.side, decision.qty, decision.price)
                order, change = transitions.fill(
                    order, scene.now, decision.qty, decision.price, position, delta
                )
                unit.change_order(order, change, position)
                scene = replace(scene, waited=False)
            else:
                order, change = _transition(order, decision.verdict, scene)
                unit.change_order(order, change)
        else:
            decision = Decision(Verdict.HOLD)
        if closing and order.is_open:
            end = transitions.rest_for_day if order.time_in_force == "gtc" else transitions.expire
            order, change = end(order, scene.now)
            unit.change_order(order, change)
            decision = Decision(Verdict.HOLD)
        return order, decision

    def _follow(self, order: Order, decision: Decision) -> None:
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
        return {*self.book.symbols(), *self._asked}

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


def _transition(order: Order, verdict: Verdict, scene: Scene) -> tuple[Order, Change]:
    if verdict is Verdict.ACKNOWLEDGE:
        return transitions.acknowledge(order, scene.now)
    if verdict is Verdict.TRIGGER:
        return transitions.trigger(order, scene.now, scene.quote.last)
    if verdict is Verdict.EXPIRE:
        return transitions.expire(order, scene.now)
    return transitions.cancel(order, scene.now, f"{order.time_in_force} remainder")
