"""``manage.py ledger_check``: every order compared with the paper exchange's own ledger."""

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from brokers.paper.ledger import read_ledger
from orders.ledger import Report, compare, desk_holdings, desk_orders, paper_account_ids, table

PAUSE_SECONDS = 0.5


class Command(BaseCommand):
    help = "Compare every order on paper accounts with the exchange's ledger; exit 1 unless they agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the numbers and findings as one JSON object")
        parser.add_argument(
            "--wait",
            type=float,
            default=3.0,
            metavar="SECONDS",
            help="read both books again for so long while they differ: orders move meanwhile (default: 3)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = settled_report(wait_seconds=options["wait"])
        except (psycopg.Error, DatabaseError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(f"The books cannot be read: {reason}") from None
        self.stdout.write(json.dumps(report.as_dict()) if options["json"] else table(report))
        if not report.is_clean:
            sys.exit(1)


def settled_report(*, wait_seconds: float) -> Report:
    """Compare both books; where they differ, again until they agree or the time is up.

    They cannot be read at the same instant, so an order that moves in between differs for a moment.
    """
    end = time.monotonic() + wait_seconds
    while not (report := _report()).is_clean and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
    return report


def _report() -> Report:
    desk, holdings = desk_orders(), desk_holdings()
    venue = read_ledger(settings.VENUE_DATABASE_URL, paper_account_ids())
    return compare(desk, holdings, venue, now=timezone.now())
