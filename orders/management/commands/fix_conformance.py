"""``manage.py fix_conformance FILE``: run order-state scenarios through the state machine."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders.conformance import ScenarioFileError, load_scenarios, run_scenario


class Command(BaseCommand):
    help = "Run a file of order-state scenarios; exit 1 when one of them fails."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a JSON list of scenarios")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scenarios = load_scenarios(options["file"])
        except ScenarioFileError as error:
            raise CommandError(str(error)) from error
        results = [run_scenario(scenario) for scenario in scenarios]
        for result in results:
            for failure in result.failures:
                self.stdout.write(str(failure))
        failed = sum(not result.passed for result in results)
        self.stdout.write(f"{len(results) - failed} passed, {failed} failed")
        if failed:
            sys.exit(1)
