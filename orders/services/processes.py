"""This host's processes, and which of them a worker's name means: told without any clock that somebody can set.

A process id comes round again within hours. So a worker is named with the time of its birth, in seconds since boot,
and with the boot itself: ``worker-<pid>-<tenths of a second>-<boot>@<host>``.
"""

import os
import re
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAME = re.compile(r"worker-\d+-(?P<tenths>[0-9a-f]+)-(?P<boot>[0-9a-f]{8})@")


def worker_name(*, pid: int, host: str) -> str:
    """Return the name of a worker that is born now."""
    tenths = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 10) + 1  # rounded up: never before its birth
    return f"worker-{pid}-{tenths:x}-{_boot()}@{host}"


def process_began_at(pid: int) -> float | None:
    """Return when a process of this host began (seconds since boot); None where none of the pid can ever run again.

    Where the system does not say when (no ``/proc``), it counts as begun at the boot: as old as can be.
    """
    if not _exists(pid):
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    except ProcessLookupError:
        return None
    if fields[0] in ("Z", "X"):
        return None  # it has ended, and nobody has asked for its exit code yet
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5): starttime


def is_another(began_at: float, worker: str) -> bool:
    """Say whether a process that began then and bears this worker's pid is proven to be another.

    A name that does not tell of a birth proves nothing.
    """
    name = _NAME.match(worker)
    if name is None:
        return False
    return name["boot"] != _boot() or began_at > int(name["tenths"], 16) / 10


def _boot() -> str:
    try:
        return _BOOT_ID.read_text()[:8]
    except FileNotFoundError:
        return "00000000"  # a system that does not say: then the time since boot has to do


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
