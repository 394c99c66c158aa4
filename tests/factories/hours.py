"""Markets that are open or closed just now, as rows."""

import datetime as dt

from django.utils import timezone

from orders.hours import forget_hours
from orders.models import MarketSession


def keep_session(market: str, opens_at: dt.datetime, hours: float = 6.5) -> MarketSession:
    """Keep a session of a day of its own; no two of a market may open on one day."""
    session = MarketSession.objects.create(
        market=market,
        day=opens_at.date(),
        opens_at=opens_at,
        closes_at=opens_at + dt.timedelta(hours=hours),
        refreshed_at=timezone.now(),
    )
    forget_hours()
    return session


def close_market(market: str = "XNYS") -> dt.datetime:
    """Have a market closed now; return when it opens: in two days and a half."""
    now = timezone.now()
    keep_session(market, now - dt.timedelta(days=2))
    return keep_session(market, now + dt.timedelta(days=2, hours=12)).opens_at


def open_market(market: str = "XNYS") -> None:
    """Have a market open now, and for some hours yet."""
    now = timezone.now()
    keep_session(market, now - dt.timedelta(days=1, hours=1))
    keep_session(market, now - dt.timedelta(hours=1))
    keep_session(market, now + dt.timedelta(days=1))
