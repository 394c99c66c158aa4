"""The Celery application: ``celery -A tradingsite …``."""

import os
import warnings
from typing import Any, Self

from celery import Celery, signals
from celery.app.amqp import AMQP
from celery.exceptions import SecurityWarning
from kombu import Connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")


class PromptConnection(Connection):
    """Reconnects within a second or two of Redis's return; Celery's own waits grow to half a minute."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Self:
        """Connect, waiting 0.2 s at first between two attempts and 1 s at most."""
        waits = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}
        return super().ensure_connection(*args, **(waits | kwargs))


class PromptAMQP(AMQP):
    """Celery's messaging over such connections."""

    Connection = PromptConnection


app = Celery("tradingsite", amqp="tradingsite.celery:PromptAMQP")
app.config_from_object("django.conf:settings", namespace="CELERY")


@signals.task_prerun.connect
def drop_dead_connections(**_kwargs: Any) -> None:
    """Let a task begin with a connection that works: one that PostgreSQL has cut would fail every task from then on."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # a task that is called inside of a transaction uses that one
            connection.close_if_unusable_or_obsolete()


@signals.celeryd_init.connect
def take_root_as_it_is(**_kwargs: Any) -> None:
    """Spare hundreds of workers Celery's warning against root, who is often a container's only user.

    Its reason, code in a pickled message, is none here: the desk's messages are JSON.
    """
    warnings.filterwarnings(
        "ignore", "You're running the worker with superuser privileges", category=SecurityWarning
    )
