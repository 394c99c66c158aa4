"""``manage.py create_demo``: the demo trader and the operator of a fresh desk."""

import json
import os
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from brokers.errors import BrokerError
from brokers.vault.record import VaultError
from orders.services.demo import DEMO, OPERATOR, DemoSecrets, ensure_demo


def kept_secret(name: str) -> str:
    """Return the secret that the desk's folder keeps under this name, made when it is first asked for.

    Its file can be read by the desk's user only, from its first moment on. Raises OSError.
    """
    path = settings.HOME / "secrets" / name
    if path.is_file() and (text := path.read_text().strip()):
        return text
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(18)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    return secret


class Command(BaseCommand):
    help = "Make sure that the demo trader and the operator are there; print their logins as one JSON object."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            kept = DemoSecrets(
                demo_password=kept_secret("demo_password"),
                operator_password=kept_secret("operator_password"),
                webhook_secret=kept_secret("demo_webhook_secret"),
            )
            strategy = ensure_demo(kept)
        except OSError as error:
            raise CommandError(f"The secrets of the demo cannot be kept: {error}.") from None
        except (BrokerError, VaultError) as error:
            raise CommandError(f"The demo trader was not created: {error}.") from None
        except DatabaseError as error:
            reason = str(error).splitlines()[0]
            raise CommandError(f"The demo trader was not created; the database says: {reason}") from None
        login = {
            "username": DEMO,
            "password": kept.demo_password,
            "webhook_path": strategy.webhook_path,
            "secret": kept.webhook_secret,
            "operator_username": OPERATOR,
            "operator_password": kept.operator_password,
        }
        self.stdout.write(json.dumps(login))
