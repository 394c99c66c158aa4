"""The claims that wait in Redis: how many workers are wanted, and whether Redis is there."""

import redis
import structlog
from django.conf import settings

from tasks import routing
from tasks.fleet.slots import boottime

log = structlog.get_logger(__name__)

MOST_CLAIMS_READ = 1000


class WaitingClaims:
    """Times are seconds of ``CLOCK_BOOTTIME``."""

    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
        self.seen = 0.0
        """When Redis last answered."""
        self.back = 0.0
        """Since when it has answered again, after it was away."""
        self._told_of_others = False

    def count(self) -> int:
        """Return how many traders wait for a worker of the pool; 0 while Redis is away.

        Traders and not claims: until one is bound, each order of a burst brings a claim of its own.
        """
        try:
            claims = self._redis.lrange(routing.POOL_QUEUE, 0, MOST_CLAIMS_READ - 1)
        except redis.RedisError:
            return 0
        now = boottime()
        if now - self.seen > settings.LEASE_TTL_SECONDS:
            self.back = now
        self.seen = now
        claimants = {routing.claimant_of(claim) for claim in claims}
        self._tell_of_others(None in claimants)
        return len(claimants - {None})

    def _tell_of_others(self, are_there: bool) -> None:
        """Log once that there are messages which are no claims; they are left to the workers, who drop them."""
        if are_there and not self._told_of_others:
            log.error("a message in the pool's queue is no claim", queue=routing.POOL_QUEUE)
        self._told_of_others = are_there

    def redis_is_away(self) -> bool:
        """Say whether Redis has not answered for longer than a lease; looks again if the last answer is old."""
        if boottime() - self.seen > 1.0:
            self.count()
        return boottime() - self.seen > settings.LEASE_TTL_SECONDS
