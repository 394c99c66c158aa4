"""Count a trader's entries against the limits of the day and the minute."""

import datetime as dt
import zoneinfo

from django.db import connection

from orders.models import OrderQuota, Trader

# One statement decides and counts, so that two alerts at once cannot both take the last place.
SPEND = """
INSERT INTO orders_orderquota AS quota (user_id, day, day_count, minute, minute_count)
SELECT %(user)s, %(day)s, %(count)s, %(minute)s, %(count)s
WHERE %(count)s <= %(day_limit)s AND %(count)s <= %(minute_limit)s
ON CONFLICT (user_id) DO UPDATE SET
    day = excluded.day,
    day_count = excluded.day_count + CASE WHEN quota.day = excluded.day THEN quota.day_count ELSE 0 END,
    minute = excluded.minute,
    minute_count =
        excluded.minute_count + CASE WHEN quota.minute = excluded.minute THEN quota.minute_count ELSE 0 END
WHERE (quota.day <> excluded.day OR quota.day_count + excluded.day_count <= %(day_limit)s)
  AND (quota.minute <> excluded.minute OR quota.minute_count + excluded.minute_count <= %(minute_limit)s)
RETURNING day_count
"""


class QuotaExceeded(Exception):
    """The trader's limit per ``day`` or ``minute`` is reached; it opens again in ``retry_after_seconds``."""

    def __init__(self, per: str, limit: int, retry_after_seconds: float) -> None:
        super().__init__(f"{limit} entries a {per}")
        self.per = per
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


def spend_quota(*, trader: Trader, count: int, now: dt.datetime) -> None:
    """Count ``count`` entries, or raise ``QuotaExceeded`` and count none.

    Runs in the caller's transaction: what is rolled back was not counted. The trader's row stays locked until its
    end, so one trader's entries are recorded one after the other.
    """
    zone = zoneinfo.ZoneInfo(trader.time_zone)
    day = now.astimezone(zone).date()
    minute = now.replace(second=0, microsecond=0)
    values: dict[str, int | dt.date] = {
        "user": trader.user_id,
        "day": day,
        "minute": minute,
        "count": count,
        "day_limit": trader.effective_daily_order_limit,
        "minute_limit": trader.effective_orders_per_minute,
    }
    with connection.cursor() as cursor:
        cursor.execute(SPEND, values)
        if cursor.fetchone() is not None:
            return
    raise _exceeded(trader, count, now, day, zone)


def _exceeded(
    trader: Trader, count: int, now: dt.datetime, day: dt.date, zone: zoneinfo.ZoneInfo
) -> QuotaExceeded:
    limit = trader.effective_daily_order_limit
    quota = OrderQuota.objects.filter(user=trader.user_id, day=day).first()
    if (quota.day_count if quota else 0) + count > limit:
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
        return QuotaExceeded("day", limit, (midnight - now).total_seconds())
    return QuotaExceeded("minute", trader.effective_orders_per_minute, 60 - now.second)
