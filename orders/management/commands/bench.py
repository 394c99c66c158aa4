"""``manage.py bench``: alert to answer through the real desk, warm and cold, and where the time goes."""

import json
import sys
from argparse import ArgumentParser
from http.client import HTTPException
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from brokers.errors import BrokerError
from desk.errors import DeskError
from tradingsite.bench.fleet import FleetNotSeen
from tradingsite.bench.load import UnexpectedAnswer
from tradingsite.bench.report import render, render_comparison
from tradingsite.bench.runs import Plan, measure
from tradingsite.bench.scratch import measure_scratch_desk

FAILURES = (BrokerError, DatabaseError, DeskError, FleetNotSeen, UnexpectedAnswer, OSError, HTTPException)


class Command(BaseCommand):
    help = (
        "Measure alert to answer through a desk of its own, or with --running through the one that runs here."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--running", action="store_true", help="measure the desk that runs: it gets traders"
        )
        parser.add_argument("--quick", action="store_true", help="a tenth of it, to see that it works")
        parser.add_argument("--compare", metavar="FILE", help="an earlier bench.json to print ratios against")
        parser.add_argument(
            "--output",
            metavar="FILE",
            default=str(settings.HOME / "bench.json"),
            help="where the numbers are kept (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Read first: it may be the file that is about to be written.
        earlier = json.loads(Path(options["compare"]).read_text()) if options["compare"] else None
        output = Path(options["output"]).absolute()
        if not options["running"]:
            self._start_desk(output, quick=options["quick"])
        else:
            self._measure(output, quick=options["quick"])
        if earlier:
            self.stdout.write("\n" + render_comparison(json.loads(output.read_text()), earlier))

    def _start_desk(self, output: Path, *, quick: bool) -> None:
        self.stderr.write("starting a desk to measure")
        arguments = ["--output", str(output), *(["--quick"] if quick else [])]
        try:
            code = measure_scratch_desk(settings.HOME / "bench-desk", arguments)
        except (DeskError, OSError) as error:
            raise CommandError(f"The desk to measure did not start: {error}") from None
        if code:
            sys.exit(code)

    def _measure(self, output: Path, *, quick: bool) -> None:
        plan = Plan(alerts=30, warm_up=10, cold=3, burst=10, resting=2) if quick else Plan()
        began = timezone.now()
        try:
            result = measure(f"http://127.0.0.1:{settings.PORT}", plan, lambda what: self.stderr.write(what))
        except FAILURES as error:
            raise CommandError(f"Not measured: {type(error).__name__}: {error}") from None
        result["measured_at"] = began.isoformat(timespec="seconds").replace("+00:00", "Z")
        output.write_text(json.dumps(result, indent=1) + "\n")
        self.stdout.write(render(result))
