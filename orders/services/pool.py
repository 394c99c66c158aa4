"""The pool manager: how many idle workers each fleet keeps ready, decided from recent demand."""

import math
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from failpoints import failpoint
from orders.models import PoolTarget, Trader
from orders.services.heartbeats import live_fleets
from orders.services.retrying import retried

RESERVE = 1.5
"""Half as many idle workers more than were ever wanted at once."""

CLAIMS_AT_ONCE = """
SELECT coalesce(max(claims), 0) FROM (
    SELECT count(*) OVER (
        ORDER BY claimed_at RANGE BETWEEN CURRENT ROW AND make_interval(secs => %s) FOLLOWING
    ) AS claims
    FROM orders_workerlease WHERE claimed_at > now() - make_interval(secs => %s)
) AS counted
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the target is decided from."""

    claims: int
    """The most traders who were given a worker within ``POOL_WINDOW_SECONDS``, in ``POOL_DEMAND_HOURS``."""
    fleets: int
    busy: int
    """Workers that have a trader, in all fleets."""
    busiest: int
    """The same of the fleet that has most of them."""
    traders: int


def measure_demand() -> Demand:
    """Count recent claims, and who works now."""
    fleets = live_fleets()
    busy = [max(fleet.workers - fleet.idle, 0) for fleet in fleets]
    with connection.cursor() as cursor:
        cursor.execute(CLAIMS_AT_ONCE, [settings.POOL_WINDOW_SECONDS, 3600 * settings.POOL_DEMAND_HOURS])
        claims = cursor.fetchone()[0]
    return Demand(
        claims=claims,
        fleets=len(fleets),
        busy=sum(busy),
        busiest=max(busy, default=0),
        traders=Trader.objects.count(),
    )


def target_for(demand: Demand) -> int:
    """Return how many idle workers each fleet should keep ready.

    So many that the greatest rush of the last hours would find a worker each, with a reserve; not more than there
    are traders without one; at least ``FLEET_POOL_SIZE``, at most ``FLEET_POOL_MAX``; and never so many that a fleet
    would have more than ``FLEET_MAX_WORKERS``. Where ``FLEET_POOL_SIZE`` is 0 there is no pool.
    """
    least = settings.FLEET_POOL_SIZE
    if least == 0:
        return 0
    fleets = max(demand.fleets, 1)
    wanted = math.ceil(demand.claims * RESERVE / fleets)
    useful = math.ceil(max(demand.traders - demand.busy, 0) / fleets)
    target = max(least, min(wanted, useful, max(settings.FLEET_POOL_MAX, least)))
    return max(min(target, settings.FLEET_MAX_WORKERS - demand.busiest), 0)


@retried
def decide_target() -> PoolTarget | None:
    """Decide the pool's target anew; return the row that was written, None where nothing changed.

    While no fleet is alive nothing is decided: what is known of demand is incomplete then.
    """
    demand = measure_demand()
    if demand.fleets == 0:
        return None
    size = target_for(demand)
    with transaction.atomic():
        newest = PoolTarget.objects.order_by("-decided_at", "-id").first()
        if newest is not None and newest.size == size:
            return None
        row = PoolTarget.objects.create(size=size, demand=asdict(demand), decided_at=timezone.now())
        failpoint("pool.decide.before_commit")
    failpoint("pool.decide.after_commit")
    return row
