"""Arms failpoints, sees who ran into one, and continues whoever stands still there."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import failpoints

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Hit:
    """A process ran into an armed point."""

    name: str
    action: str
    pid: int
    at: float
    """When it was seen, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a process stands still at a point, and whether its fleet is kept from noticing."""

    seconds: float
    unsupervised: bool = False


class Arming:
    """The failpoints of one stage; a thread of its own watches their folder.

    `stopped` is called with each process that an armed `stop` has stopped and with its hold: it must return at
    once and see that the process is continued.
    """

    def __init__(self, folder: Path, stopped: Callable[[Hit, Hold], None]) -> None:
        self.folder = folder
        self.hits: list[Hit] = []
        self._stopped = stopped
        self._holds: dict[str, Hold] = {}
        self._seen: set[tuple[str, int]] = set()
        self._looking = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="arming", daemon=True)

    def __enter__(self) -> "Arming":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=10)

    def arm(self, name: str, action: str, hold: Hold | None = None) -> None:
        """Arm a point; whoever an armed `stop` stops is continued after the hold. Raises KeyError for no point."""
        if hold is not None:
            self._holds[name] = hold
        failpoints.arm(self.folder, name, action)

    def disarm(self) -> list[str]:
        """Take back what nobody has passed; return the names. What was passed until now is seen first."""
        left = failpoints.disarm(self.folder)
        self.look()
        return left

    def _watch(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """See who has run into a point until now."""
        with self._looking:
            for path in self.folder.glob("*.hit-*"):
                mark = (path.name, path.stat().st_mtime_ns)  # a pid may come again
                if mark not in self._seen:
                    self._seen.add(mark)
                    self._note(path)

    def _note(self, path: Path) -> None:
        name, _, of = path.name.rpartition(".hit-")
        hit = Hit(name, path.read_text().strip(), int(of.partition("-")[0]), time.time())
        self.hits.append(hit)
        if hit.action == "stop":
            self._stopped(hit, self._holds.get(name, Hold(1.0)))
