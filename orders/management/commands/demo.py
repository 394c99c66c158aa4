"""``manage.py demo``: real alerts in, filled and closed trades out, told and checked step by step."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from brokers.errors import BrokerError
from brokers.vault.record import VaultError
from tradingsite.demo.play import play
from tradingsite.demo.story import Story


class Command(BaseCommand):
    help = "Play a trader's day at the running desk; exit 0 only if every step was as it must be."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.PORT}",
            help="where the web process listens (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        colours = not options["no_color"] and (options["force_color"] or sys.stdout.isatty())
        try:
            all_so = play(Story(sys.stdout, colours=colours), options["url"].rstrip("/"))
        except (BrokerError, VaultError, DatabaseError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(f"The demo could not go on: {reason}") from None
        if not all_so:
            sys.exit(1)
