"""Which message goes to which queue. A message is a doorbell: what is to be done stands in PostgreSQL.

| queue | who listens | message |
|---|---|---|
| ``pool`` | idle workers | claim this trader |
| ``user.<id>`` | the one worker that has claimed the trader | look what is due |
| ``sweeps`` | the sweeps worker | periodic work |
"""

import json
from base64 import b64decode

from failpoints import failpoint
from tradingsite.celery import app

POOL_QUEUE = "pool"


def user_queue(user_id: int) -> str:
    return f"user.{user_id}"


def ring(user_id: int) -> None:
    """Ring the trader's worker. Raises ``kombu.exceptions.OperationalError`` without Redis."""
    _publish("orders.execute", user_id, user_queue(user_id))


def claim(user_id: int) -> None:
    """Ask the pool for a worker for this trader; harmless where there is one."""
    failpoint("claim.before")
    _publish("fleet.claim", user_id, POOL_QUEUE)
    failpoint("claim.after")


def claimant_of(message: bytes | str) -> int:
    """Return the trader whom a claim is for, as it waits in Redis in the form of Celery's message protocol 2."""
    args, _kwargs, _embed = json.loads(b64decode(json.loads(message)["body"]))
    return int(args[0])


def _publish(task: str, user_id: int, queue: str) -> None:
    app.send_task(task, args=[user_id], queue=queue, retry=True, retry_policy=ONE_RETRY)


# One try more, at once: a connection that Redis has dropped meanwhile is replaced by a new one.
ONE_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
