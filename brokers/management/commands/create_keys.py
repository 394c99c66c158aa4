from typing import Any

from django.core.management.base import BaseCommand

from brokers.vault.keys import Purpose, create_keys


class Command(BaseCommand):
    help = "Create the vault's key pairs where there are none; an existing key is never touched."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for purpose in Purpose:
            made = create_keys(purpose)
            self.stdout.write(f"{purpose}: {'created' if made else 'there already'}")
