"""Slots: what a worker and its supervisor tell each other, in shared memory.

One slot a process. The worker writes whom it acts for and that it makes progress; the supervisor renews the lease
in PostgreSQL for all its children in one statement and writes back until when each may act.
"""

import ctypes
import time
from multiprocessing.context import ForkServerContext


class Slot(ctypes.Structure):
    """One worker's part. Each field has one writer; eight aligned bytes are written at once."""

    _fields_ = (
        ("user_id", ctypes.c_int64),  # worker: the trader it is bound to, 0 in the pool, -1 leaving
        ("epoch", ctypes.c_int64),  # worker: of the lease it took; written before user_id
        ("deadline", ctypes.c_double),  # both: CLOCK_BOOTTIME seconds until which it may act
        ("progress", ctypes.c_double),  # worker: CLOCK_BOOTTIME seconds of the main loop's last turn
        ("idle_since", ctypes.c_double),  # worker: CLOCK_BOOTTIME seconds, 0 while there is work
        ("release", ctypes.c_int64),  # supervisor: what it asks an idle worker to do, see below; 0 nothing
        ("lost", ctypes.c_int64),  # supervisor: epoch of a lease that could not be renewed, 0 none
    )

    user_id: int
    epoch: int
    deadline: float
    progress: float
    idle_since: float
    release: int
    lost: int


RELEASE_TRADER = 1
"""To a worker that has a trader: let it go, unless there is work."""
LEAVE_POOL = 2
"""To a worker of the pool: leave it, unless it gets a trader first."""


def boottime() -> float:
    """Return seconds since boot, suspended time included: a clock that no one can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def create_slot(context: ForkServerContext) -> Slot:
    """Return a new zeroed slot in memory that a child of ``context`` shares when it is passed to it."""
    return context.RawValue(Slot)
