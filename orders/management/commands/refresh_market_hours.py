"""``manage.py refresh_market_hours``: read the exchange calendars now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from brokers.hours.reading import CalendarUnavailable
from orders.services.market_hours import refresh_market_hours, watch_market_hours


class Command(BaseCommand):
    help = "Read the exchange calendars and keep their sessions, as the sweep does once a day."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            read = refresh_market_hours()
        except CalendarUnavailable as error:
            raise CommandError(f"The exchange calendars could not be read: {error}") from None
        if read is None:
            self.stdout.write("Another process is writing them just now.")
            return
        watch_market_hours()
        for code, count in read.items():
            self.stdout.write(f"{code}: {count} sessions")
