"""Who is who among the processes of a stage: by pid file, by the desk's mark, by the forkserver's children."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from desk.home import Home
from desk.processes import Identity, inside, marked

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class Process:
    """One living process: what it is (`worker:<user id>`, `worker:pool`, or a component's name) and its pid."""

    label: str
    pid: int

    @property
    def role(self) -> str:
        """The label without whom a worker serves."""
        return self.label.partition(":")[0]

    @property
    def session(self) -> int | None:
        """The pid of the process that its component began with: a worker's is its fleet; None where it is gone."""
        try:
            return os.getsid(self.pid)
        except ProcessLookupError:
            return None

    @property
    def parent(self) -> "Process | None":
        """The process that it was forked from: a worker's is its forkserver; None where it is gone."""
        try:
            parent = psutil.Process(self.pid).parent()
        except GONE:
            return None
        return Process("forkserver", parent.pid) if parent is not None and _is_forkserver(parent) else None

    def send(self, number: int) -> bool:
        """Send a signal; False where it is gone."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def components(home: Home, names: Sequence[str], suffix: str = "") -> Iterator[Process]:
    """Yield the living main processes of a desk's components, under their names and a suffix."""
    for name in names:
        identity = Identity.read(home.pids / f"{name}.json")
        if identity is not None:
            yield Process(name + suffix, identity.pid)


def forked(home: Path, users: Mapping[int, int]) -> Iterator[Process]:
    """Yield the forkservers and workers of a desk, also those whose fleet was killed.

    `users` tells whom a worker's pid serves.
    """
    for identity in marked(home):
        try:
            process = psutil.Process(identity.pid)
            if not _is_forkserver(process):
                continue
            parent = process.parent()
            if parent is not None and _is_forkserver(parent):
                yield Process(f"worker:{users.get(process.pid, 'pool')}", process.pid)
            else:
                yield Process("forkserver", process.pid)
        except GONE:
            continue


def _is_forkserver(process: psutil.Process) -> bool:
    return any("multiprocessing.forkserver" in part for part in process.cmdline())


def continue_all(home: Home) -> None:
    """Continue every stopped process of a desk, the servers' children too."""
    found = list(marked(home.root))
    for folder, program in ((home.pgdata, "postgres"), (home.redis, "redis-server")):
        found += inside(folder.resolve(), program)
    for identity in found:
        try:
            if psutil.Process(identity.pid).status() == psutil.STATUS_STOPPED:
                os.kill(identity.pid, signal.SIGCONT)
        except GONE:
            continue
