"""Find what has lost its counterpart: leases without a process, queues that nobody reads, pools that are short.

Finding changes nothing. What is found is handed out as one task a case, and each looks again before it acts: the
case may have settled itself meanwhile.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from enum import Enum, auto

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from failpoints import failpoint
from orders.models import AttentionItem, Order, Trader, WorkerLease
from orders.selectors import has_live_lease, has_open_orders
from orders.services.attention import open_item, settle_items
from orders.services.heartbeats import Fleet, live_fleets
from orders.services.leases import expire_lease
from orders.services.retrying import retried

IsGone = Callable[[int, str | None], bool]
"""Says whether this host has no such process, or (given a worker's name) only one that took over its number."""

ORDER_KINDS = (AttentionItem.Kind.OUTCOME_UNKNOWN, AttentionItem.Kind.MARKET_ORDER_UNFILLED)
WEDGED_SHOWN = dt.timedelta(minutes=10)
NO_FLEET = ""


# --- leases ---


def orphan_leases(*, here: str, is_gone: IsGone) -> list[tuple[int, int]]:
    """Return (user id, epoch) of the leases that still stand although their process is gone."""
    fleets = live_fleets()
    live = WorkerLease.objects.filter(expires_at__gt=Now()).order_by("user")
    return [(lease.user_id, lease.epoch) for lease in live if _is_orphan(lease, fleets, here, is_gone)]


@retried
def end_orphan_lease(*, user_id: int, epoch: int, here: str, is_gone: IsGone) -> bool:
    """End a lease whose process is gone, so that another worker can take it at once; return whether it was."""
    lease = WorkerLease.objects.filter(user=user_id, epoch=epoch, expires_at__gt=Now()).first()
    if lease is None or not _is_orphan(lease, live_fleets(), here, is_gone):
        return False
    failpoint("orphan.lease.before_expire")
    ended = expire_lease(user_id=user_id, epoch=epoch)
    failpoint("orphan.lease.after_expire")
    return ended


def _is_orphan(lease: WorkerLease, fleets: list[Fleet], here: str, is_gone: IsGone) -> bool:
    """Say whether the process is gone: looked up on this host, else concluded from its fleet's silence.

    A fleet that lives on a host of our name and whose process we do not see has process ids of its own (a container
    beside ours); it sees the deaths of its workers itself.
    """
    neighbours = [fleet for fleet in fleets if fleet.host == lease.host]
    if lease.host != here:
        return not neighbours
    if any(is_gone(fleet.pid, None) for fleet in neighbours):
        return False
    return is_gone(lease.pid, lease.worker)


# --- queues ---


class Verdict(Enum):
    """What a trader's queue is to be done with."""

    SERVED = auto()
    """A worker holds the trader's lease and reads it."""
    WANTED = auto()
    """Nobody reads it, and the trader has work."""
    ABANDONED = auto()
    """Nobody reads it and nobody will: no such trader, or nothing to do."""


def orphan_queues(queues: Mapping[str, tuple[int | None, bool]]) -> list[str]:
    """Return the names of those queues that hold messages and have no reader, or whose trader does not exist.

    ``queues`` maps a name to its trader (None: the name is no trader's) and whether messages wait in it.
    """
    users = {user_id for user_id, _ in queues.values() if user_id is not None}
    known = set(Trader.objects.filter(user__in=users).values_list("user", flat=True))
    served = WorkerLease.objects.filter(user__in=users, expires_at__gt=Now())
    readers = set(served.values_list("user", flat=True))
    return [
        name
        for name, (user_id, has_messages) in queues.items()
        if user_id not in readers and (has_messages or user_id not in known)
    ]


def judge_queue(user_id: int | None) -> Verdict:
    """Say what is to be done with this trader's queue now."""
    if user_id is None:
        return Verdict.ABANDONED
    if has_live_lease(user_id):
        return Verdict.SERVED
    return Verdict.WANTED if has_open_orders(user_id) else Verdict.ABANDONED


# --- pools ---


def short_pools() -> list[str]:
    """Return the fleets whose pool has been below its target for too long; ``NO_FLEET`` where none is alive."""
    fleets = live_fleets()
    if not fleets:
        return [NO_FLEET]
    return [fleet.name for fleet in fleets if fleet.short_seconds >= settings.POOL_SHORT_SECONDS]


def report_short_pool(name: str) -> bool:
    """Tell the operators of a fleet that cannot fill its pool; return False where it has filled it meanwhile."""
    if name not in short_pools():
        return False
    fleet = next((fleet for fleet in live_fleets() if fleet.name == name), None)
    detail = "No fleet has shown itself lately."
    if fleet is not None:
        short = f"{fleet.idle} of {fleet.target} idle workers for {fleet.short_seconds} s"
        detail = f"{name}: {short}; {fleet.workers} workers in all"
    open_item(AttentionItem.Kind.ORPHAN, detail=detail)
    return True


# --- what has healed ---


def settle_what_healed() -> int:
    """Close items of the attention list whose cause is gone; return how many.

    What only a person can judge (fills beyond a quantity, dead letters, refused credentials) stays.
    """
    failpoint("orphan.healed.before")
    settled = 0
    if not short_pools():
        settled += settle_items(
            AttentionItem.Kind.ORPHAN, user_id=None, resolution="Every pool is full again."
        )
    if any(fleet.idle for fleet in live_fleets()):
        settled += settle_items(
            AttentionItem.Kind.NO_WORKER_FREE, user_id=None, resolution="There are idle workers again."
        )
    settled += _settle_ended_orders() + _settle_wedged()
    failpoint("orphan.healed.after")
    return settled


def _settle_ended_orders() -> int:
    items = AttentionItem.objects.filter(
        kind__in=ORDER_KINDS, order__ended=True, order__next_check_at__isnull=True, resolved_at__isnull=True
    )
    return items.update(resolved_at=Now(), resolution="The order has ended.")


def _settle_wedged() -> int:
    """A worker that stood still was killed: settled once its trader is served again, or has nothing to do."""
    served = WorkerLease.objects.filter(user=OuterRef("user"), expires_at__gt=Now())
    waiting = Order.objects.filter(user=OuterRef("user"), next_check_at__isnull=False)
    items = AttentionItem.objects.filter(
        Q(user__isnull=True) | Exists(served) | ~Exists(waiting),
        kind=AttentionItem.Kind.WORKER_WEDGED,
        resolved_at__isnull=True,
        opened_at__lt=Now() - WEDGED_SHOWN,
    )
    return items.update(resolved_at=Now(), resolution="The worker was killed, and nobody waits for it.")
