"""Named places at which a test may have a process die, stand still or fail: ``failpoint("send.departing")``.

Off (the usual case: ``FAILPOINTS`` is not set when the process starts), a failpoint is a call that does nothing. On,
``FAILPOINTS`` names a folder. Whoever wants something to happen arms a point there with a file of its name; the first
process that comes by takes the file away and does what it says, once:

| text | what the process does |
|---|---|
| ``kill`` | ends at once, as by SIGKILL |
| ``stop`` | stands still, as by SIGSTOP, until somebody continues it |
| ``fail`` | raises ``FailpointError`` |
| ``sleep 1.5`` | sleeps so many seconds |

What was taken stays in the folder as ``<name>.hit-<pid>-<n>``. ``catalog.POINTS`` lists every point.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path


class FailpointError(Exception):
    """Raised by a point that was armed with ``fail``."""


_hits = count(1)


def failpoint(name: str) -> None:
    """Pass a named point; see the module."""
    if _listener is not None:
        _listener(name)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Have ``listener`` called with every point that this process passes, for the block; what it raises goes on."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def _armed_in(folder: Path) -> Callable[[str], None]:
    def listener(name: str) -> None:
        taken = folder / f"{name}.hit-{os.getpid()}-{next(_hits)}"
        try:
            (folder / name).rename(taken)  # whoever renames it has it: a point goes off once
        except FileNotFoundError:
            return
        _act(name, taken.read_text().split())

    return listener


def _act(name: str, words: list[str]) -> None:
    match words:
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["stop"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        case ["fail"]:
            raise FailpointError(name)
        case ["sleep", seconds]:
            time.sleep(float(seconds))
        case _:
            raise ValueError(f"failpoint {name}: {' '.join(words)[:40]!r} is nothing that it can do")


_FOLDER = os.environ.get("FAILPOINTS")
_listener: Callable[[str], None] | None = _armed_in(Path(_FOLDER)) if _FOLDER else None


def arm(folder: Path, name: str, action: str) -> Path:
    """Arm a point for the next process that passes it; return the file that is gone once one has.

    Raises ``KeyError`` for a point that does not exist.
    """
    from failpoints.catalog import POINTS

    POINTS[name]
    path = folder / name
    written = path.with_name(f".{name}")
    written.write_text(action)
    return written.replace(path)


def disarm(folder: Path) -> list[str]:
    """Take back what nobody has passed; return the names."""
    waiting = [path for path in folder.iterdir() if path.name[0] != "." and ".hit-" not in path.name]
    for path in waiting:
        path.unlink(missing_ok=True)
    return [path.name for path in waiting]
