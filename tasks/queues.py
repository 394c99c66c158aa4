"""Celery's queues as they lie in Redis: which traders' queues there are, and taking one away."""

from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from failpoints import failpoint
from tasks import routing

BINDING_PREFIX = "_kombu.binding."
SCAN_COUNT = 1000
REPLY_KEPT_SECONDS = 600
"""Longer than anybody waits for a reply."""


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """Return this process's own client: it gives up soon, because whoever asks has the next round."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, retry=Retry(NoBackoff(), 1))


def trader_queues() -> dict[str, bool]:
    """Return the names of all traders' queues, and whether messages wait in each.

    A queue that is empty exists by its binding only. Walks through the keys in small steps; never blocks Redis.
    """
    found: dict[str, bool] = {}
    for key in client().scan_iter(match=f"*{routing.USER_QUEUE_PREFIX}*", count=SCAN_COUNT):
        name = key.decode(errors="replace")
        if name.startswith(routing.USER_QUEUE_PREFIX):
            found[name] = True
        elif name.startswith(BINDING_PREFIX + routing.USER_QUEUE_PREFIX):
            found.setdefault(name.removeprefix(BINDING_PREFIX), False)
    return found


def purge(queue: str) -> int:
    """Take a queue away, with its binding; return how many messages were in it.

    A doorbell that comes in meanwhile is lost with it. It brings a claim of its own, and whoever takes that looks
    for everything that is due.
    """
    failpoint("orphan.queue.before_purge")
    with client().pipeline(transaction=True) as pipeline:
        pipeline.llen(queue)
        pipeline.delete(queue, BINDING_PREFIX + queue)
        waiting, _deleted = pipeline.execute()
    failpoint("orphan.queue.after_purge")
    return int(waiting)


def trim_replies() -> tuple[int, int]:
    """Drop replies that nobody waits for any more; return how many were dropped, and how many are left."""
    failpoint("orphan.replies.before_trim")
    seconds, _microseconds = client().time()
    oldest = (seconds - REPLY_KEPT_SECONDS) * 1000
    dropped = client().xtrim(settings.REPLY_STREAM, minid=oldest, approximate=False)
    failpoint("orphan.replies.after_trim")
    return int(dropped), count_replies()


def count_replies() -> int:
    """Return how many replies the stream holds."""
    return int(client().xlen(settings.REPLY_STREAM))
