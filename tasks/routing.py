"""Which message goes to which queue. A message is a doorbell: what is to be done stands in PostgreSQL.

| queue | who listens | message |
|---|---|---|
| ``pool`` | idle workers | claim this trader |
| ``user.<id>`` | the one worker that has claimed the trader | look what is due |
| ``sweeps`` | the sweeps worker | periodic work |
"""

import json
from base64 import b64decode
from typing import Any

from failpoints import failpoint
from tradingsite.celery import app

POOL_QUEUE = "pool"
SWEEPS_QUEUE = "sweeps"
USER_QUEUE_PREFIX = "user."
DEAD_LETTER_HEADER = "dead_letter"
MOST_USER_ID = 2**31 - 1


def user_queue(user_id: int) -> str:
    return f"{USER_QUEUE_PREFIX}{user_id}"


def user_of(queue: str) -> int | None:
    """Return the trader whose queue this is; None where no trader's could have this name."""
    number = queue.removeprefix(USER_QUEUE_PREFIX)
    if not number.isdecimal() or not number.isascii() or int(number) > MOST_USER_ID:
        return None
    return int(number) if queue == user_queue(int(number)) else None


def ring(user_id: int, *, expires_seconds: float | None = None) -> None:
    """Ring the trader's worker. Raises ``kombu.exceptions.OperationalError`` without Redis."""
    _publish("orders.execute", user_id, user_queue(user_id), expires_seconds)


def claim(user_id: int, *, expires_seconds: float | None = None) -> None:
    """Ask the pool for a worker for this trader; harmless where there is one."""
    failpoint("claim.before")
    _publish("fleet.claim", user_id, POOL_QUEUE, expires_seconds)
    failpoint("claim.after")


def claimant_of(message: bytes | str) -> int | None:
    """Return the trader whom a claim is for, as it waits in Redis in the form of Celery's message protocol 2.

    None where the message is no claim: whatever somebody puts there, it must not stop who reads.
    """
    try:
        args, _kwargs, _embed = json.loads(b64decode(json.loads(message)["body"]))
        user_id = args[0]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return user_id if isinstance(user_id, int) else None


def hand_out(task: str, args: list[Any], *, expires_seconds: float) -> None:
    """Publish one case of the maintenance; when it is not begun in time, the next round finds it again."""
    failpoint("orphan.before_hand_out")
    app.send_task(task, args=args, queue=SWEEPS_QUEUE, expires=expires_seconds)
    failpoint("orphan.after_hand_out")


def publish_again(task: str, args: list[Any], queue: str, *, dead_letter: int) -> None:
    """Publish a task that failed before, with the id of its dead letter; a trader's queue gets a worker too."""
    headers = {DEAD_LETTER_HEADER: dead_letter}
    app.send_task(task, args=args, queue=queue or SWEEPS_QUEUE, headers=headers)
    failpoint("dead_letter.retry.after")
    user_id = user_of(queue)
    if user_id is not None:
        claim(user_id)


def _publish(task: str, user_id: int, queue: str, expires_seconds: float | None) -> None:
    app.send_task(
        task, args=[user_id], queue=queue, expires=expires_seconds, retry=True, retry_policy=ONE_RETRY
    )


# One try more, at once: a connection that Redis has dropped meanwhile is replaced by a new one.
ONE_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
