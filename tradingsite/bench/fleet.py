"""The fleet's processes on this host: who is bound, who waits, and what memory they take."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from django.db.models.functions import Now

from orders.models import WorkerLease

READY_SECONDS = 1.0  # a fork listens after a fraction of this, on a busy machine too
POLL_SECONDS = 0.05


class FleetNotSeen(Exception):
    """No worker of the desk runs on this host, or the pool does not fill up."""


def bound_pids() -> set[int]:
    """Return the pids of the workers that hold a lease."""
    return set(WorkerLease.objects.filter(expires_at__gt=Now()).values_list("pid", flat=True))


def idle_pids() -> set[int]:
    """Return the pids of the workers in the pool that have had time to come up.

    They are the siblings of a bound one: children of the same forkserver. Raises ``FleetNotSeen``.
    """
    bound = bound_pids()
    for pid in bound:
        try:
            parent = psutil.Process(pid).parent()
        except psutil.NoSuchProcess:
            continue
        if parent is not None:
            oldest = time.time() - READY_SECONDS
            siblings = {child.pid: child for child in parent.children()}
            return {
                pid for pid, child in siblings.items() if pid not in bound and child.create_time() < oldest
            }
    raise FleetNotSeen("no worker that holds a lease runs on this host")


def wait_for_pool(size: int, *, seconds: float = 30.0) -> None:
    """Wait until so many idle workers are up. Raises ``FleetNotSeen`` where they do not come."""
    end = time.monotonic() + seconds
    while len(idle_pids()) < size:
        if time.monotonic() > end:
            raise FleetNotSeen(f"the pool has not reached {size} idle workers within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def memory_mb(pids: Iterable[int]) -> dict[str, Any]:
    """Return the number of processes and their median resident, proportional and private memory in MB.

    Pages that forked workers share count in each one's resident size; the proportional size divides them.
    """
    rows = [row for row in map(_rollup, pids) if row]
    if not rows:
        return {"processes": 0}
    medians = {name: round(median(row[name] for row in rows), 1) for name in ("rss", "pss", "private")}
    return {"processes": len(rows), **medians}


def _rollup(pid: int) -> dict[str, float]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {"rss": kilobytes["Rss"] / 1024, "pss": kilobytes["Pss"] / 1024, "private": private / 1024}
