"""What the market forbids in a symbol for now: orders during a halt, prices outside of its bands."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from venue.errors import unprocessable
from venue.render import number


@dataclass(frozen=True, slots=True)
class Band:
    """The prices at which a symbol may trade for now, both included."""

    low: Decimal
    high: Decimal


@dataclass(slots=True)
class Rulings:
    """In memory: they end with the process, as halts do. The words are assumed."""

    refused: set[str] = field(default_factory=set)
    """Symbols whose halt turns new orders away instead of keeping them."""
    bands: dict[str, Band] = field(default_factory=dict)

    def check(self, symbol: str, price: Decimal | None) -> None:
        """Refuse an order, or a new price of one, that is forbidden for now; raises VenueError."""
        if symbol in self.refused:
            raise unprocessable(f"trading in asset {symbol} is halted")
        band = self.bands.get(symbol)
        if band is not None and price is not None and not band.low <= price <= band.high:
            bounds = f"{number(band.low)} to {number(band.high)}"
            raise unprocessable(f"limit price {number(price)} is outside of the price bands {bounds}")
