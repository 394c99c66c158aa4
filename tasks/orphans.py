"""Orphan maintenance: a coordinator finds cases and hands out one small task for each.

Each task looks again, because its case may have settled itself, and can be run any number of times. A case that
fails holds up no other: it becomes a dead letter of its own.
"""

import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from django.db import DataError, IntegrityError

from orders.selectors import has_live_lease, has_open_orders, users_without_worker
from orders.services import orphans
from orders.services.heartbeats import beat_orphans, forget_silent_fleets
from orders.services.sweeping import deny_stale_entry, stale_entries, sweep_lock
from orders.state import IllegalTransition
from tasks import queues, routing
from tasks.dispatch import nudge
from tasks.host import is_gone

log = structlog.get_logger(__name__)

Cases = Iterable[list[Any]]

LEAST_CASE_SECONDS = 10.0
"""A case waits at least so long for its turn, however often cases are looked for."""
ENTRIES_A_CASE = 50
"""Entries grow too old by the hundred, behind one order that cannot be sent."""


# --- the coordinator ---


def hand_out_cases() -> dict[str, int]:
    """Find every case and publish a task for each; return how many there were of each kind.

    What concerns orders comes first, and is handed out before the next kind is looked for. Nothing is published under
    a lock: whoever is stopped there must not stop every other host's coordinator.
    """
    forget_silent_fleets()
    expires = max(settings.SWEEP_ORPHANS_SECONDS, LEAST_CASE_SECONDS)
    found: Counter[str] = Counter()
    for task, find in FINDERS.items():
        with sweep_lock(task) as alone:
            cases = list(find()) if alone else []
        for args in cases:
            routing.hand_out(task, args, expires_seconds=expires)
            found[task] += 1
    for task in UPKEEP:
        routing.hand_out(task, [], expires_seconds=expires)
    summary = {FOUND_AS[task]: found[task] for task in FINDERS}
    beat_orphans(summary | {"replies kept": queues.count_replies()})
    if any(summary.values()):
        log.info("orphans found", **{kind.replace(" ", "_"): count for kind, count in summary.items()})
    return summary


def _stale_entries() -> Cases:
    ids = [str(order_id) for order_id in stale_entries()]
    return [[ids[first : first + ENTRIES_A_CASE]] for first in range(0, len(ids), ENTRIES_A_CASE)]


def _leases() -> Cases:
    found = orphans.orphan_leases(here=socket.gethostname(), is_gone=is_gone)
    return [[user_id, epoch] for user_id, epoch in found]


def _traders() -> Cases:
    return [[user_id] for user_id in users_without_worker()]


def _queues() -> Cases:
    waiting = queues.trader_queues()
    found = {name: (routing.user_of(name), has_messages) for name, has_messages in waiting.items()}
    return [[name] for name in orphans.orphan_queues(found)]


def _pools() -> Cases:
    return [[name] for name in orphans.short_pools()]


FINDERS: dict[str, Callable[[], Cases]] = {
    "orphans.entries": _stale_entries,
    "orphans.lease": _leases,
    "orphans.trader": _traders,
    "orphans.queue": _queues,
    "orphans.pool": _pools,
}
FOUND_AS = {
    "orphans.entries": "batches of entries too old",
    "orphans.lease": "leases without a process",
    "orphans.trader": "traders without a worker",
    "orphans.queue": "queues nobody reads",
    "orphans.pool": "pools below target",
}
UPKEEP = ("orphans.replies", "orphans.healed")


# --- one case each ---


@shared_task(name="orphans.entries")
def entries(order_ids: list[str]) -> None:
    """Deny entries that nobody sent in time; one that cannot be denied holds up none of the others."""
    failures = []
    for order_id in order_ids:
        try:
            if deny_stale_entry(uuid.UUID(order_id)):
                log.warning("entry denied, nobody sent it in time", order=order_id)
        except (DataError, IntegrityError, IllegalTransition) as error:
            failures.append(error)
    if failures:
        raise failures[0]


@shared_task(name="orphans.lease")
def lease(user_id: int, epoch: int) -> None:
    """End a lease whose process is gone, and have another worker take over."""
    if orphans.end_orphan_lease(user_id=user_id, epoch=epoch, here=socket.gethostname(), is_gone=is_gone):
        log.warning("lease without a process ended", user_id=user_id, epoch=epoch)
        if has_open_orders(user_id):
            nudge(user_id)


@shared_task(name="orphans.trader")
def trader(user_id: int) -> None:
    """Ring for a trader who has work and no worker."""
    if has_open_orders(user_id) and not has_live_lease(user_id):
        log.warning("work without a worker", user_id=user_id)
        nudge(user_id)


@shared_task(name="orphans.queue")
def queue(name: str) -> None:
    """Have somebody read a queue with messages, or take it away where nobody ever will."""
    user_id = routing.user_of(name)
    verdict = orphans.judge_queue(user_id)
    if verdict is orphans.Verdict.ABANDONED:
        log.warning("queue of nobody purged", queue=name, messages=queues.purge(name))
    elif verdict is orphans.Verdict.WANTED and user_id is not None:
        log.warning("queue without a worker", queue=name)
        nudge(user_id)


@shared_task(name="orphans.pool")
def pool(fleet: str) -> None:
    """Tell the operators of a pool that stays below its target."""
    if orphans.report_short_pool(fleet):
        log.error("pool below its target", fleet=fleet)


@shared_task(name="orphans.replies")
def replies() -> None:
    """Drop replies that nobody reads any more."""
    dropped, left = queues.trim_replies()
    if dropped:
        log.info("replies dropped", dropped=dropped, left=left)


@shared_task(name="orphans.healed")
def healed() -> None:
    """Close items of the attention list whose cause is gone."""
    settled = orphans.settle_what_healed()
    if settled:
        log.info("attention items settled", settled=settled)
