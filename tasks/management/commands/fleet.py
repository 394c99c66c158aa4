import signal
from typing import Any

from django.core.management.base import BaseCommand

from tasks.fleet.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run this host's fleet: a pool of workers, each of which becomes one trader's own."

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor = Supervisor()
        signal.signal(signal.SIGTERM, supervisor.stop)
        signal.signal(signal.SIGINT, supervisor.stop)
        supervisor.run()
