"""Write when markets trade: the calendars' sessions, and operators' words over them."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from brokers.hours.markets import CALENDAR_MARKETS, MARKETS
from brokers.hours.reading import read_calendars
from brokers.hours.sessions import Session
from failpoints import failpoint
from orders.hours import forget_hours
from orders.models import AttentionItem, MarketOverride, MarketSession
from orders.services.attention import open_item, settle_items
from orders.services.retrying import retried
from orders.services.sweeping import sweep_lock

DAYS_BACK = 35
DAYS_AHEAD = 370
LEAST_DAYS_AHEAD = 30
"""Hours that are known for a shorter time are an alarm: there is a month left to mend it."""


def refresh_market_hours(*, only_if_due: bool = False) -> dict[str, int] | None:
    """Read the exchange calendars and keep their sessions; return how many there are of each market.

    Returns None where another process is writing them, or where they are not due (``only_if_due``). May be called at
    any time and by several at once. Raises ``CalendarUnavailable``.
    """
    if only_if_due and not is_due():
        return None
    today = timezone.now().date()
    read = read_calendars(today - dt.timedelta(days=DAYS_BACK), today + dt.timedelta(days=DAYS_AHEAD))
    written = _write_sessions(read)
    if written:
        forget_hours()
    return {code: len(sessions) for code, sessions in read.items()} if written else None


def is_due() -> bool:
    """Say whether a market's calendar was last read too long ago, or never."""
    oldest = timezone.now() - dt.timedelta(seconds=settings.MARKET_HOURS_REFRESH_SECONDS)
    fresh = MarketSession.objects.filter(refreshed_at__gt=oldest).values_list("market", flat=True)
    return set(CALENDAR_MARKETS) - set(fresh.distinct()) != set()


@retried
def _write_sessions(read: dict[str, list[Session]]) -> bool:
    """Put what was read in the place of what was kept; False where another process does so right now."""
    now = timezone.now()
    with sweep_lock("market_hours") as alone:
        if not alone:
            return False
        rows = [
            MarketSession(
                market=code,
                day=session.day,
                opens_at=session.opens_at,
                closes_at=session.closes_at,
                half_day=session.half_day,
                refreshed_at=now,
            )
            for code, sessions in read.items()
            for session in sessions
        ]
        MarketSession.objects.filter(market__in=read).delete()
        MarketSession.objects.bulk_create(rows)
        failpoint("hours.before_commit")
    failpoint("hours.after_commit")
    return True


def watch_market_hours() -> list[str]:
    """Tell the operators of markets whose hours are not known for long any more; return their codes.

    Without hours nothing is stopped: an entry goes to the broker, which decides.
    """
    ends = dict(MarketSession.objects.values_list("market").annotate(Max("closes_at")))
    least = timezone.now() + dt.timedelta(days=LEAST_DAYS_AHEAD)
    short = [code for code in CALENDAR_MARKETS if code not in ends or ends[code] < least]
    if short:
        words = [f"{MARKETS[code].title}: {_known_words(ends.get(code))}" for code in short]
        open_item(AttentionItem.Kind.MARKET_HOURS_MISSING, detail="; ".join(words))
    else:
        settle_items(
            AttentionItem.Kind.MARKET_HOURS_MISSING, user_id=None, resolution="The hours are known again."
        )
    return short


def _known_words(until: dt.datetime | None) -> str:
    return "no hours are known" if until is None else f"hours are known until {until:%Y-%m-%d %H:%M} UTC"


def save_override(override: MarketOverride) -> None:
    """Keep an operator's word on a day; this process knows at once, others within ``orders.hours.KEPT_SECONDS``."""
    override.save()
    transaction.on_commit(forget_hours)


def delete_override(override: MarketOverride) -> None:
    """Take an operator's word on a day back: the calendar counts again."""
    override.delete()
    transaction.on_commit(forget_hours)
