"""Prices: a seeded random walk for each symbol, or what the control endpoint pins.

The walk's step n depends only on seed, symbol and n, so a run can be repeated, and a restart goes on from the
stored price without replaying the steps before it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from venue.assets import Assets
from venue.db import Connection, Pool
from venue.engine.rulings import Rulings
from venue.models import Quote, utc_now

CENT = Decimal("0.01")
_FLOOR = Decimal("1.00")
# About 0.01% of the price for one standard step.
_VOLATILITY = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Price:
    """Where one symbol stands: its top of book, and how many steps its walk has made."""

    bid: Decimal
    ask: Decimal
    steps: int = 0
    pinned: bool = False


class Market:
    """Quotes for every symbol of the universe."""

    def __init__(self, assets: Assets, seed: str) -> None:
        self.assets = assets
        self.paused = False
        self.rulings = Rulings()
        self._seed = seed
        self._prices: dict[str, Price] = {}
        self._dirty: set[str] = set()

    def quote(self, symbol: str) -> Quote:
        """Return the present quote; raises KeyError for a symbol that does not trade here."""
        price = self._price(symbol)
        return Quote(symbol, price.bid, price.ask, utc_now())

    def is_pinned(self, symbol: str) -> bool:
        """Tell whether a symbol's price was set by hand and stays."""
        return self._price(symbol).pinned

    def pin(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """Set a symbol's quote and stop its walk."""
        self._set(symbol, replace(self._price(symbol), bid=bid, ask=ask, pinned=True))

    def unpin(self, symbol: str) -> None:
        """Let a symbol walk again from where it stands."""
        self._set(symbol, replace(self._price(symbol), pinned=False))

    def scale(self, symbol: str, factor: Decimal) -> None:
        """Multiply a symbol's quote, as a split does; never below the smallest price."""
        price = self._price(symbol)
        bid, ask = (max((side * factor).quantize(CENT), CENT) for side in (price.bid, price.ask))
        self._set(symbol, replace(price, bid=bid, ask=ask))

    def step(self, symbol: str) -> bool:
        """Make one step of a symbol's walk; returns whether its quote moved."""
        price = self._price(symbol)
        if price.pinned:
            return False
        middle = (price.bid + price.ask) / 2
        moved = max(_FLOOR, middle + middle * _VOLATILITY * self._draw(symbol, price.steps))
        bid = moved.quantize(CENT, ROUND_HALF_UP)
        self._set(symbol, Price(bid, bid + CENT, price.steps + 1))
        return bid != price.bid

    def _draw(self, symbol: str, step: int) -> Decimal:
        # The sum of 8 bytes is near enough to normal, and is the same on every machine.
        digest = hashlib.blake2b(f"{self._seed}:{symbol}:{step}".encode(), digest_size=8).digest()
        return Decimal(sum(digest) - 1020) / 209

    def _price(self, symbol: str) -> Price:
        price = self._prices.get(symbol)
        if price is None:
            asset = self.assets.find(symbol)
            if asset is None or asset.symbol != symbol:
                raise KeyError(symbol)
            price = Price(asset.base_price, asset.base_price + CENT)
            self._prices[symbol] = price
        return price

    def _set(self, symbol: str, price: Price) -> None:
        self._prices[symbol] = price
        self._dirty.add(symbol)

    async def load(self, connection: Connection) -> None:
        """Take up the prices that an earlier process stored."""
        cursor = await connection.execute("SELECT symbol, bid, ask, steps, pinned FROM price")
        async for symbol, *values in cursor:
            self._prices[symbol] = Price(*values)

    async def save(self, pool: Pool) -> None:
        """Store the prices that moved since the last time."""
        symbols = sorted(self._dirty)
        if not symbols:
            return
        rows: list[tuple[Any, ...]] = []
        for symbol in symbols:
            price = self._prices[symbol]
            rows.append((symbol, price.bid, price.ask, price.steps, price.pinned))
        async with pool.connection() as connection, connection.transaction():
            await connection.cursor().executemany(
                "INSERT INTO price (symbol, bid, ask, steps, pinned) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (symbol) DO UPDATE SET bid = excluded.bid, ask = excluded.ask,"
                " steps = excluded.steps, pinned = excluded.pinned",
                rows,
            )
        self._dirty.difference_update(symbols)
