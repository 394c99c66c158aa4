"""What must be taken back after a while, each in a thread of its own, or at once when the run heals."""

import threading
import traceback
from collections.abc import Callable

LONGEST_SECONDS = 150.0
"""How long the end of a run waits for what is still being taken back: a server's restart may be among it."""


class Reversals:
    """The reversals of one stage; `finish` cuts every wait short."""

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._hurry = threading.Event()
        self._threads: set[threading.Thread] = set()
        self.failures: list[str] = []

    @property
    def in_a_hurry(self) -> bool:
        """Whether the stage is healing: what is only there to make trouble is left out."""
        return self._hurry.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep inside of a reversal; return whether the run heals and the sleep was cut short."""
        return self._hurry.wait(seconds)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call `action` in a thread after so many seconds, earlier when the run heals.

        What it raises is kept in `failures` and stops nobody: the thing it was for may be dead by then.
        """

        def run() -> None:
            self._hurry.wait(seconds)
            try:
                action()
            except Exception:  # noqa: BLE001 - a thread has nobody to raise to: kept, and told in the report
                self.failures.append(traceback.format_exc(limit=-3))
            with self._changed:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name="reversal", daemon=True)
        with self._changed:
            self._threads.add(thread)
        thread.start()

    def finish(self) -> None:
        """Have everything taken back now; raises TimeoutError where something hangs."""
        self._hurry.set()
        with self._changed:
            waiting = list(self._threads)
        for thread in waiting:
            thread.join(LONGEST_SECONDS)
            if thread.is_alive():
                raise TimeoutError("a fault is still being taken back")
        self._hurry.clear()
