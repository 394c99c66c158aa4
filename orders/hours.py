"""When markets trade, as pages, services and monitors read it: one small read a market and minute."""

from __future__ import annotations

import datetime as dt
import time

from brokers.hours.markets import MARKETS, Market
from brokers.hours.sessions import Hours, Session
from orders.models import MarketOverride, MarketSession

KEPT_SECONDS = 30.0
"""How late a process learns what another one has changed."""

_kept: dict[str, tuple[float, Hours]] = {}


def hours_of(code: str) -> Hours:
    """Return when the market of this code trades, read at most ``KEPT_SECONDS`` ago. Raises ``LookupError``.

    A market that never closes costs no read.
    """
    kept = _kept.get(code)
    if kept is not None and time.monotonic() < kept[0]:
        return kept[1]
    market = MARKETS[code]
    hours = Hours(market) if market.never_closes else _read(market)
    _kept[code] = time.monotonic() + KEPT_SECONDS, hours
    return hours


def forget_hours() -> None:
    """Have this process read the hours anew when it needs them next: they have been changed."""
    _kept.clear()


def _read(market: Market) -> Hours:
    columns = ("day", "opens_at", "closes_at", "half_day")
    rows = MarketSession.objects.filter(market=market.code).order_by("opens_at").values_list(*columns)
    overrides = MarketOverride.objects.filter(market=market.code)
    return Hours(
        market,
        [Session(*row) for row in rows],
        {override.day: session_of(override) for override in overrides},
    )


def session_of(override: MarketOverride) -> Session | None:
    """Return the session that an operator has announced; None for a day that stays closed."""
    if override.closed or override.opens is None or override.closes is None:
        return None
    zone = MARKETS[override.market].zone
    opens_at = dt.datetime.combine(override.day, override.opens, zone)
    closes_at = dt.datetime.combine(override.day, override.closes, zone)
    return Session(override.day, opens_at.astimezone(dt.UTC), closes_at.astimezone(dt.UTC))
