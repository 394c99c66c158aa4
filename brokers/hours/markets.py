"""The markets that the desk knows, by code. Nothing here reads a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Market:
    """One market. ``code`` is its MIC (ISO 10383), ``place`` whose clock its sessions follow."""

    code: str
    title: str
    zone_name: str
    place: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone_name)

    @property
    def never_closes(self) -> bool:
        """Say whether it trades around the clock: then there are no sessions to know."""
        return self.code == AROUND_THE_CLOCK


AROUND_THE_CLOCK = "24/7"
MARKETS = {
    market.code: market
    for market in (
        Market(AROUND_THE_CLOCK, "Around the clock", "UTC", "UTC"),
        Market("XNYS", "New York Stock Exchange", "America/New_York", "New York"),
        Market("XTAI", "Taiwan Stock Exchange", "Asia/Taipei", "Taipei"),
    )
}
CALENDAR_MARKETS = tuple(code for code, market in MARKETS.items() if not market.never_closes)
CHOICES = [(market.code, market.title) for market in MARKETS.values()]


def market_of(code: str, symbol: str) -> str:
    """Return the code of the market that a symbol trades on in an account whose market is ``code``.

    A pair (BTC/USD) is no share: it trades around the clock at every broker that the desk knows.
    """
    return AROUND_THE_CLOCK if "/" in symbol else code
