"""SIGTERM and SIGINT end a run as its own end does: whatever it has started is put away before it exits."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Ended(SystemExit):
    """Somebody wants the run to end; the status is the one that shells give to such an end."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have the first such signal raise ``Ended`` in the block; later ones disturb nobody who puts things away."""
    is_ending = False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise Ended(number)

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
