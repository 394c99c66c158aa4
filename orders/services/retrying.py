"""Run a transaction again that PostgreSQL has ended because of another one's: deadlocks, serialization failures."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from django.db import Error, connection

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

CONFLICTS = {"40001": "serialization failure", "40P01": "deadlock"}
MOST_TRIES = 5
FIRST_WAIT_SECONDS = 0.01


def conflict_of(error: BaseException) -> str | None:
    """Return what PostgreSQL ended the transaction for, where running it again can help; None elsewhere."""
    return CONFLICTS.get(getattr(error.__cause__, "sqlstate", None) or "")


def run_again(run: Callable[[], T], *, tries: int = MOST_TRIES) -> T:
    """Call ``run``, and call it again while it ends in a deadlock or a serialization failure.

    ``run`` is one whole transaction and nothing else: nothing of it has happened when it is called again, and no
    call of a broker is inside. Within an open transaction it is called once, because only the outermost one can be
    run again. Raises what the last try raised.
    """
    if connection.in_atomic_block:
        return run()
    for count in range(1, tries):
        try:
            return run()
        except Error as error:
            conflict = conflict_of(error)
            if conflict is None:
                raise
            log.warning("transaction runs again", conflict=conflict, tried=count)
        time.sleep(random.uniform(0.5, 1.5) * FIRST_WAIT_SECONDS * 2**count)  # noqa: S311 - no secret
    return run()


def retried(run: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that is one whole transaction: ``run_again`` for every call of it."""

    @functools.wraps(run)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_again(lambda: run(*args, **kwargs))

    return wrapper
