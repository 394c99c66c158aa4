"""``manage.py rebuild_positions``: make every position, and the trade journal, anew from the executions."""

from typing import Any

from django.core.management.base import BaseCommand

from orders.services.positions import make_all_anew


class Command(BaseCommand):
    help = "Make every position and the trade journal anew from the executions. Safe to run at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{make_all_anew()} positions made anew from their executions")
