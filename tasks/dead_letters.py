"""What becomes of a task that fails: three times in a row, and it is a dead letter.

Nothing here tries a task again: the sweep rings for what is due, beat repeats the sweeps, the coordinator hands out
its cases anew. What nobody needs any more is not repeated, and its failures are forgotten with time.
"""

from __future__ import annotations

import os
import socket
import traceback as tracebacks
from typing import Any

import structlog
from celery import Task, signals
from django.db import Error as DatabaseError
from kombu.exceptions import OperationalError as BrokerDown

from orders.models import DeadLetter
from orders.services.dead_letters import Failure, mark_retried, record_failure, record_success
from orders.services.outages import is_outage
from tasks import routing

log = structlog.get_logger(__name__)

OF_A_TRADER = ("orders.execute", "fleet.claim", "orphans.trader")
"""Tasks whose first argument is a user's id."""

_failed_here: set[tuple[str, str]] = set()
"""Which tasks failed in this process since they last succeeded: a success of any other costs no query."""


@signals.task_failure.connect
def note_failure(sender: Task[Any, Any], exception: Exception, args: list[Any], **_kwargs: Any) -> None:
    """Count a task's failure."""
    request = sender.request
    queue = (request.delivery_info or {}).get("routing_key") or ""
    context = {"worker": request.hostname or "", "task_id": request.id or ""}
    count_failure(sender.name, list(args), exception, queue=queue, **context)


@signals.task_success.connect
def note_success(sender: Task[Any, Any], **_kwargs: Any) -> None:
    """End a row of failures; settle a dead letter that was tried again."""
    tried_again = routing.DEAD_LETTER_HEADER in (sender.request.headers or {})
    if _failed_here or tried_again:
        count_success(sender.name, list(sender.request.args or ()), tried_again=tried_again)


def count_success(task: str, args: list[Any], *, tried_again: bool = False) -> None:
    """Note that a task has succeeded; costs nothing unless it failed in this process or was tried again."""
    key = _key(task, args)
    if key not in _failed_here and not tried_again:
        return
    try:
        record_success(task=task, args=args)
    except DatabaseError as error:
        log.warning("success not recorded", task=task, args=args, error=str(error))
        return
    _failed_here.discard(key)


def count_failure(task: str, args: list[Any], exception: Exception, *, queue: str, **context: str) -> None:
    """Count one failure of a task, wherever it ran. Never raises for a dead PostgreSQL; outages do not count."""
    if is_outage(exception) or isinstance(exception, BrokerDown):
        log.warning("task failed for an outage", task=task, args=args, error=str(exception))
        return
    _failed_here.add(_key(task, args))
    failure = Failure(
        task=task,
        args=args,
        queue=queue,
        exception=type(exception).__qualname__,
        message=str(exception),
        traceback="".join(tracebacks.format_exception(exception)),  # without the values of variables
        user_id=args[0] if task in OF_A_TRADER and args else None,
        context=context | {"pid": os.getpid(), "host": socket.gethostname()},
    )
    try:
        letter = record_failure(failure)
    except DatabaseError as error:
        log.warning("failure not counted", task=task, args=args, error=str(error))
        return
    if letter is not None:
        log.error("dead letter", task=task, args=args, failures=letter.failures, exception=letter.exception)


def try_again(letter: DeadLetter) -> bool:
    """Publish a dead letter's task again; its next success settles the letter. False where it is settled already.

    Raises ``kombu.exceptions.OperationalError`` without Redis.
    """
    if not mark_retried(letter):
        return False
    routing.publish_again(letter.task, letter.args, letter.queue, dead_letter=letter.pk)
    return True


def _key(task: str, args: list[Any]) -> tuple[str, str]:
    return task, repr(args)
