"""Keeps one component alive: starts it, starts it again when it dies, stops it with patience."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from desk.components import Component
from desk.errors import DeskError
from desk.home import Home
from desk.processes import Children, Identity, end, session_of

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0
STEADY_SECONDS = 10.0
"""A component that lived this long starts its next backoff from the beginning."""


class Keeper:
    """One component under watch.

    A death restarts the component after 0.2 seconds, doubling to 5 while it keeps dying. What the dead one
    left in its session is let be (a fleet's workers finish their orders), and ended with the next stop.
    """

    def __init__(
        self,
        component: Component,
        *,
        home: Home,
        children: Children,
        report: Callable[[str], None],
        refresh: Callable[[], Component],
    ) -> None:
        self.component = component
        self._home = home
        self._children = children
        self._report = report
        self._refresh = refresh
        self._changed = threading.Condition()
        self._wanted = False
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._sessions: set[int] = set()
        self._restarts = 0

    @property
    def log(self) -> Path:
        """The file that takes the component's output."""
        return self._home.logs / f"{self.component.name}.log"

    @property
    def pid(self) -> int | None:
        """The pid of the component's main process, None while it is not running."""
        child = self._child
        return child.pid if child else None

    @property
    def restarts(self) -> int:
        """How often the component died and was started again."""
        return self._restarts

    @property
    def state(self) -> str:
        """`stopped`, `restarting`, `starting` or `ready`."""
        if self._child is None:
            return "restarting" if self._wanted else "stopped"
        return "ready" if self.component.is_ready() else "starting"

    def start(self) -> None:
        """Start the component and its watch; nothing happens when it is already wanted.

        Raises DeskError when it cannot be started at all.
        """
        with self._changed:
            if self._wanted:
                return
            self.component = self._refresh()
            self._spawn()
            self._wanted = True
            self._thread = threading.Thread(
                target=self._watch, name=f"keep-{self.component.name}", daemon=True
            )
            self._thread.start()

    def stop(self, patience_seconds: float | None = None) -> None:
        """Stop the component and everything it started; returns when all of it is gone."""
        with self._changed:
            self._wanted = False
            self._changed.notify_all()
            child, thread = self._child, self._thread
        patience = self.component.patience_seconds if patience_seconds is None else patience_seconds
        if child is not None and (identity := Identity.of(child.pid)):
            end([identity], self.component.stop_signal, patience)
        if thread is not None:
            thread.join()
        for leader in tuple(self._sessions):
            end(session_of(leader), signal.SIGTERM, patience)
        self._sessions.clear()

    def kill(self) -> int | None:
        """Kill the main process with SIGKILL, as a test of the watch; return its pid."""
        pid = self.pid
        if pid is not None and (identity := Identity.of(pid)):
            end([identity], signal.SIGKILL, 5.0)
        return pid

    def wait_ready(self, seconds: float, *, interrupted: Callable[[], bool]) -> None:
        """Wait until the component is ready.

        Raises DeskError when it died more than twice or took longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        before = self._restarts
        while self.state != "ready":
            if interrupted():
                raise DeskError("interrupted.")
            if self._restarts - before > 2:
                raise DeskError(f"{self.component.name} keeps dying: {self.last_words()}")
            if time.monotonic() > deadline:
                raise DeskError(
                    f"{self.component.name} was not ready within {seconds:.0f} s; see {self.log}."
                )
            time.sleep(0.05)

    def last_words(self) -> str:
        """Return the last line of the component's log that is not empty."""
        try:
            lines = self.log.read_bytes()[-4096:].decode(errors="replace").split("\n")
        except OSError:
            return "it wrote no log."
        return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty.")

    def tidy(self) -> None:
        """Forget the sessions that everybody has left: their number may be used again."""
        for leader in tuple(self._sessions):
            if leader != self.pid and not session_of(leader):
                self._sessions.discard(leader)

    def _spawn(self) -> None:
        self.component.prepare()
        child = self._children.spawn(
            self.component.command,
            environment=self.component.environment,
            cwd=self.component.cwd,
            log=self.log,
            account=self.component.account,
        )
        if identity := Identity.of(child.pid):
            identity.write(self._home.pids / f"{self.component.name}.json")
        self._child = child
        self._sessions.add(child.pid)

    def _watch(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        code = 0
        while True:
            child = self._child
            if child is not None:
                born = time.monotonic()
                code = self._children.wait(child)
                backoff = FIRST_BACKOFF_SECONDS if time.monotonic() - born > STEADY_SECONDS else backoff
                self.tidy()
            with self._changed:
                self._child = None
                if not self._wanted:
                    (self._home.pids / f"{self.component.name}.json").unlink(missing_ok=True)
                    return
                if child is not None:
                    self._report(
                        f"{self.component.name} died ({_how(code)}); starting it again in {backoff:.1f} s."
                    )
                if self._changed.wait_for(lambda: not self._wanted, timeout=backoff):
                    continue
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
                self._restarts += 1
                try:
                    self._spawn()
                except (DeskError, OSError) as error:
                    self._report(f"{self.component.name} cannot be started: {error}")


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
