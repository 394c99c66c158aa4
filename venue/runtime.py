"""The running venue: its parts, put together in the order in which they need each other."""

from __future__ import annotations

import asyncio

from venue.assets import Assets
from venue.auth import Credentials
from venue.db import new_pool
from venue.engine.corrections import Corrections
from venue.engine.engine import Engine
from venue.engine.journals import Journals
from venue.engine.market import Market
from venue.engine.placing import Placing
from venue.engine.splits import Splits
from venue.engine.transaction import Accounts
from venue.faults import Faults
from venue.hours import market_hours
from venue.instance import InstanceLock
from venue.settings import Settings
from venue.stream import Hub


class Venue:
    """Everything that the endpoints use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.assets = Assets(open_universe=settings.assets == "any")
        self.faults = Faults(settings.seed)
        self.hub = Hub(self.faults)
        self.pool = new_pool(settings.database_url, settings.pool_size)
        self.credentials = Credentials(self.pool)
        self.accounts = Accounts(self.pool, self.hub.publish)
        self.engine = Engine(
            self.pool,
            self.accounts,
            Market(self.assets, settings.seed),
            market_hours(settings.market_hours),
            fill_delay=settings.fill_delay_ms / 1000,
            tick=settings.tick_ms / 1000,
        )
        self.placing = Placing(self.accounts, self.engine)
        self.corrections = Corrections(self.accounts, self.engine)
        self.journals = Journals(self.accounts)
        self.splits = Splits(self.pool, self.accounts, self.engine)
        self._lock = InstanceLock(settings.database_url, settings.takeover_seconds)

    async def start(self) -> None:
        """Make sure to be the only venue on this database, connect, and go on with what is open."""
        await self._lock.acquire()
        await self.pool.open(wait=True, timeout=30)
        await self.engine.start()
        self._guard = asyncio.create_task(self._lock.guard())

    async def stop(self) -> None:
        """Stop working, then disconnect."""
        self._guard.cancel()
        await self.engine.stop()
        await self.pool.close()
        await self._lock.release()
