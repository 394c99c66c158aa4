from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from brokers.vault.master_keys import create_master_key
from brokers.vault.record import Purpose


class Command(BaseCommand):
    help = "Create the vault's master keys where there are none; an existing key is never touched."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for purpose in Purpose:
            made = create_master_key(purpose, settings.VAULT_KEYS_DIR)
            self.stdout.write(f"{purpose}: {'created' if made else 'there already'}")
