"""Processes as the runner sees them: spawned in a session each, identified beyond their pid, reaped."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from desk.config import MARKER

_PR_SET_CHILD_SUBREAPER = 36
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, ProcessLookupError)


@dataclass(frozen=True)
class Identity:
    """A process: its pid and when it started (seconds since the epoch), as a pid alone is used again."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Return the identity of a living process, None when there is none."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, process.create_time())
        except _GONE:
            return None

    @classmethod
    def read(cls, path: Path) -> "Identity | None":
        """Read a pid file; None when it is missing, unreadable, or its process is gone."""
        try:
            stored = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return stored if stored.is_alive() else None

    def write(self, path: Path) -> None:
        """Write a pid file."""
        path.write_text(json.dumps(asdict(self)))

    def is_alive(self) -> bool:
        """Tell whether this very process lives; a zombie does not."""
        now = Identity.of(self.pid)
        return now is not None and abs(now.started - self.started) < 2.0  # boot time may be read differently


class Children:
    """The processes that this process started, and the strays that it inherits as their subreaper."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[int] = set()

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        log: Path,
        account: tuple[int, int] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own; its output is appended to `log`.

        A file, not a pipe: a component outlives this process without ever writing into a closed pipe.
        `account` is the user and group id to run as, where this process is root.
        """
        with log.open("ab") as output, self._lock:
            child = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account[0] if account else None,
                group=account[1] if account else None,
                extra_groups=[] if account else None,
            )
            self._known.add(child.pid)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for a child that `spawn` started and return its exit code (negative: the signal)."""
        code = child.wait()
        with self._lock:
            self._known.discard(child.pid)
        return code

    def reap_strays(self) -> None:
        """Reap descendants that lost their parent and became children of this process."""
        with self._lock:
            for process in psutil.Process().children():
                try:
                    if process.pid not in self._known and process.status() == psutil.STATUS_ZOMBIE:
                        os.waitpid(process.pid, os.WNOHANG)
                except (ChildProcessError, *_GONE):
                    continue


def become_subreaper() -> bool:
    """Inherit orphaned descendants instead of PID 1 (Linux); False where the system has no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def marked(home: Path) -> Iterator[Identity]:
    """Yield every living process that carries the mark of the desk in `home`, but not this one."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == str(home):
                identity = Identity.of(process.pid)
                if identity:
                    yield identity
        except _GONE:
            continue


def inside(folder: Path, program: str) -> Iterator[Identity]:
    """Yield every living process of a program whose working directory is `folder`.

    PostgreSQL and Redis write their title over their environment, so they are found by the data they hold.
    """
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and Path(process.exe()).name == program:
                identity = Identity.of(process.pid)
                if identity:
                    yield identity
        except (FileNotFoundError, *_GONE):
            continue


def session_of(leader: int) -> list[Identity]:
    """Return the living processes of the session that `leader` founded."""
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader and (identity := Identity.of(pid)):
                found.append(identity)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def send(identity: Identity, number: int) -> None:
    """Send a signal to exactly this process; nothing happens when it is gone."""
    if identity.is_alive():
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


def wait_gone(identities: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until all are gone, at most `seconds`; return those that are not."""
    deadline = time.monotonic() + seconds
    left = [identity for identity in identities if identity.is_alive()]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [identity for identity in left if identity.is_alive()]
    return left


def end(identities: Iterable[Identity], number: int, patience_seconds: float) -> None:
    """Ask processes to stop, wait, and kill those that did not."""
    asked = list(identities)
    for identity in asked:
        send(identity, number)
    left = wait_gone(asked, patience_seconds)
    for identity in left:
        send(identity, signal.SIGKILL)
    wait_gone(left, 5.0)
