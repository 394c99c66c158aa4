"""The components' log files: kept from growing without end, and followed on a terminal."""

import shutil
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

MAX_BYTES = 50 * 1024 * 1024


def rotate(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move the content of large logs aside, as NAME.log.1.

    The file itself is emptied, not replaced: its component keeps it open for appending.
    """
    for path in folder.glob("*.log"):
        if path.stat().st_size > max_bytes:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            with path.open("r+b") as file:
                file.truncate(0)


class Follower:
    """Prints what is added to log files, each line with its component's name before it."""

    def __init__(self, folder: Path, names: Iterable[str], out: TextIO = sys.stdout) -> None:
        self._paths = {name: folder / f"{name}.log" for name in names}
        self._places = {name: _size(path) for name, path in self._paths.items()}
        self._width = max((len(name) for name in self._paths), default=0)
        self._out = out
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Begin to print, from the present end of each file."""
        self._thread.start()

    def stop(self) -> None:
        """Print what is left and end."""
        self._stopped.set()
        self._thread.join()

    def rewind(self, lines: int) -> None:
        """Go back, so that the last `lines` lines of each file are printed first."""
        for name, path in self._paths.items():
            if path.exists():
                tail = path.read_bytes()[: self._places[name]].split(b"\n")[-lines - 1 :]
                self._places[name] -= len(b"\n".join(tail))

    def drain(self) -> None:
        """Print the complete lines that were added since the last time."""
        for name, path in self._paths.items():
            if _size(path) < self._places[name]:
                self._places[name] = 0  # rotated
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(self._places[name])
                added = file.read()
            complete = added[: added.rfind(b"\n") + 1]
            self._places[name] += len(complete)
            for line in complete.decode(errors="replace").splitlines():
                print(f"{name:<{self._width}} | {line}", file=self._out)
        self._out.flush()

    def _follow(self) -> None:
        while not self._stopped.wait(0.2):
            self.drain()
        self.drain()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
