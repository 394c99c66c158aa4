"""Show that a part of the desk works."""

import datetime as dt

from django.db.models.functions import Now

from orders.models import Heartbeat

SCHEDULE = "schedule"


def beat_fleet(*, name: str, idle: int, workers: int) -> None:
    """Show that this fleet works, and how many workers it has."""
    _beat(name, Heartbeat.Part.FLEET, {"idle": idle, "workers": workers})


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


def _beat(name: str, part: Heartbeat.Part, data: dict[str, int]) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"part": part, "at": Now(), "data": data})
