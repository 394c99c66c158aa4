"""This host's processes, as /proc tells of them."""

import datetime as dt
import os
import time
from pathlib import Path

CLOCKS_APART_SECONDS = 5.0
"""Two clocks of one desk differ by less."""


def is_gone(pid: int, since: dt.datetime | None) -> bool:
    """Say whether no such process runs here, or only one that took over the number after ``since``."""
    started = _started_at(pid)
    if started is None:
        return True
    return since is not None and started > since.timestamp() + CLOCKS_APART_SECONDS


def has_ended(pid: int, age_seconds: float) -> bool:
    """Say whether the process of this number that was started so long ago has ended."""
    return is_gone(pid, dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_seconds))


def _started_at(pid: int) -> float | None:
    """Return when a process was started (Unix time); None where it has ended, waited for or not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    ticks_after_boot = int(fields[19])
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks_after_boot / os.sysconf("SC_CLK_TCK")
