"""Show that a part of the desk works."""

import datetime as dt
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from orders.models import Heartbeat
from orders.selectors import FLEET_SILENCE_SECONDS

SCHEDULE = "schedule"
ORPHANS = "orphans"
BEAT_AND_READ = """
WITH beat AS (
    INSERT INTO orders_heartbeat (name, part, at, data) VALUES (%s, %s, now(), %s::jsonb)
    ON CONFLICT (name) DO UPDATE SET part = excluded.part, at = excluded.at, data = excluded.data
)
SELECT size FROM orders_pooltarget ORDER BY decided_at DESC, id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a fleet tells of itself with each heartbeat."""

    name: str
    host: str = ""
    pid: int = 0
    idle: int = 0
    """Workers in the pool."""
    workers: int = 0
    most: int = 0
    """Workers that it may have."""
    target: int = 0
    """Idle workers that it keeps ready."""
    short_seconds: int = 0
    """For how long the pool has been below that."""


def beat_fleet(fleet: Fleet) -> int | None:
    """Show that this fleet works; return the pool's target now in force, None where none was ever decided.

    One round trip, because the supervisor's workers wait for their leases meanwhile.
    """
    data = asdict(fleet)
    del data["name"]
    with connection.cursor() as cursor:
        cursor.execute(BEAT_AND_READ, [fleet.name, Heartbeat.Part.FLEET, json.dumps(data)])
        row = cursor.fetchone()
    return int(row[0]) if row else None


def live_fleets() -> list[Fleet]:
    """Return the fleets that have shown themselves lately."""
    rows = Heartbeat.objects.filter(
        part=Heartbeat.Part.FLEET, at__gt=Now() - dt.timedelta(seconds=FLEET_SILENCE_SECONDS)
    )
    known = {field.name for field in fields(Fleet)} - {"name"}
    return [
        Fleet(row.name, **{name: value for name, value in row.data.items() if name in known})
        for row in rows.order_by("name")
    ]


def room_in_fleets() -> int:
    """Return how many workers more the fleets may have than they have."""
    return sum(max(fleet.most - fleet.workers, 0) for fleet in live_fleets())


def end_fleet(*, name: str) -> None:
    """Take this fleet off the list, because it stops."""
    Heartbeat.objects.filter(name=name).delete()


def forget_silent_fleets() -> None:
    """Take fleets off the list that died without a word an hour ago or longer."""
    an_hour_ago = Now() - dt.timedelta(hours=1)
    Heartbeat.objects.filter(part=Heartbeat.Part.FLEET, at__lt=an_hour_ago).delete()


def beat_schedule() -> None:
    """Show that beat and the sweeps work."""
    _beat(SCHEDULE, Heartbeat.Part.SCHEDULE, {})


def beat_orphans(summary: dict[str, Any]) -> None:
    """Show that the orphans' coordinator works, and what it found."""
    _beat(ORPHANS, Heartbeat.Part.SCHEDULE, summary)


def _beat(name: str, part: Heartbeat.Part, data: dict[str, Any]) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"part": part, "at": Now(), "data": data})
