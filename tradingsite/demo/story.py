"""How the demo is told: chapters, lines with their milliseconds, and checks that can fail."""

from __future__ import annotations

from typing import TextIO

_WIDTH = 22


class StoryEnds(Exception):
    """Nothing that follows can be told without what has failed here."""


class Story:
    """Writes to ``out``; in colours only where that is a terminal. ``failures`` holds what was not so."""

    def __init__(self, out: TextIO, *, colours: bool | None = None) -> None:
        self.failures: list[str] = []
        self._out = out
        self._colours = out.isatty() if colours is None else colours

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._write("")
        self._write(self._paint("1", title))

    def tell(self, label: str, text: str, *, ms: float | None = None) -> None:
        """Write one line; ``ms`` counts from the receipt of the alert."""
        time = f"{ms:>9.1f} ms" if ms is not None else " " * 12
        self._write(f"{self._paint('2', time)}  {label:<{_WIDTH}} {text}")

    def check(self, what: str, came: object, expected: object) -> bool:
        """Write whether ``came`` is what was expected; a failure is counted and the story goes on."""
        if came == expected:
            self._write(f"{self._paint('32', '          ok')}  {what:<{_WIDTH}} {_words(came)}")
            return True
        difference = f"expected {_words(expected)}, came {_words(came)}"
        self.failures.append(f"{what}: {difference}")
        self._write(f"{self._paint('31', '      FAILED')}  {what:<{_WIDTH}} {difference}")
        return False

    def need(self, what: str, came: object, expected: object, *, why: str = "") -> None:
        """Check what everything after it stands on. Raises ``StoryEnds``."""
        if not self.check(what, came, expected):
            raise StoryEnds(why or "The rest cannot be told without that.")

    def _write(self, line: str) -> None:
        self._out.write(line.rstrip() + "\n")
        self._out.flush()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text


def _words(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
