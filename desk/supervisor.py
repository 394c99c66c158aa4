"""The supervisor: brings the components up in order, serves the control socket, takes them down."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from desk import preparation
from desk.components import build
from desk.config import STOP_ORDER, Config
from desk.control import ControlServer
from desk.errors import DeskError
from desk.keeper import Keeper
from desk.logs import rotate
from desk.orphans import end_orphans
from desk.postgres import Postgres
from desk.processes import Children, Identity, become_subreaper

logger = logging.getLogger("desk")

STORES = ("postgres", "redis")
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Options:
    """How this run differs from the whole desk."""

    prepare: bool = True
    """Create keys, migrate, collect static files, make the demo trader."""


class Supervisor:
    """Runs one desk until it is told to stop."""

    def __init__(self, config: Config, options: Options | None = None) -> None:
        self.config = config
        self.options = options or Options()
        self.phase = "starting"
        self._children = Children()
        self._keepers: dict[str, Keeper] = {}
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._operation = threading.Lock()

    def serve(self, on_ready: Callable[[], None] | None = None) -> None:
        """Run the desk: blocks until a SIGTERM, SIGINT or the control socket's `down`, then stops everything.

        Raises DeskError when the desk cannot come up; what had started is stopped first.
        """
        home = self.config.home
        home.prepare()
        lock = home.lock()
        self._take_signals()
        become_subreaper()
        try:
            end_orphans(home)
            self.config.require_free_ports()
            if own := Identity.of(os.getpid()):
                own.write(home.pids / "desk.json")
            with ControlServer(home.control_socket, self._handle):
                try:
                    self._bring_up()
                    if on_ready is not None and not self._stopping.is_set():
                        on_ready()
                    self._watch()
                finally:
                    self._take_down()
        finally:
            (home.pids / "desk.json").unlink(missing_ok=True)
            lock.close()

    def request_stop(self) -> None:
        """Ask `serve` to stop everything and return; asked twice, it kills instead of waiting."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def _take_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda *_: self.request_stop())

    def _bring_up(self) -> None:
        for name in self.config.components:
            self._keepers[name] = self._keeper(name)
        try:
            self._bring_up_in_order()
        except DeskError:
            if not self._stopping.is_set():
                raise  # a stop that was asked for meanwhile is no failure

    def _bring_up_in_order(self) -> None:
        selected = self.config.components
        for name in STORES:
            self._start_and_wait(name)
        if "postgres" in selected:
            Postgres(self.config.home).create_roles()
        if self.options.prepare:
            self._enter("preparing the database and the static files")
            preparation.prepare(self.config, self._children)
        self._start_and_wait("venue")
        if self.options.prepare and "venue" in selected and "web" in selected:
            self._enter("making the demo trader")
            preparation.create_demo(self.config, self._children)
        for name in selected:
            if name not in (*STORES, "venue") and not self._stopping.is_set():
                self._enter(f"starting {name}")
                self._keepers[name].start()
        self._enter("running")

    def _start_and_wait(self, name: str) -> None:
        if name in self._keepers and not self._stopping.is_set():
            self._enter(f"starting {name}")
            self._keepers[name].start()
            self._keepers[name].wait_ready(READY_SECONDS, interrupted=self._stopping.is_set)

    def _keeper(self, name: str) -> Keeper:
        return Keeper(
            build(self.config, name),
            home=self.config.home,
            children=self._children,
            report=logger.warning,
            refresh=lambda: build(self.config, name),
        )

    def _watch(self) -> None:
        ticks = 0
        while not self._stopping.wait(1.0):
            ticks += 1
            self._children.reap_strays()
            for keeper in self._keepers.values():
                keeper.tidy()
            if ticks % 60 == 0:
                rotate(self.config.home.logs)

    def _take_down(self) -> None:
        self._stopping.set()
        self._enter("stopping")
        with self._operation:
            for name in STOP_ORDER:
                if name in self._keepers:
                    self._stop_patiently(self._keepers[name])
        end_orphans(self.config.home)
        self._children.reap_strays()
        logger.info("stopped.")

    def _stop_patiently(self, keeper: Keeper) -> None:
        """Stop a component in a thread, so that a second request to stop can cut the patience short."""
        thread = threading.Thread(target=keeper.stop)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            if self._hurry.is_set():
                keeper.stop(patience_seconds=0.0)

    def _enter(self, phase: str) -> None:
        self.phase = phase
        logger.info("%s.", phase)

    def _handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request of the control socket."""
        operation = str(request.get("op", ""))
        if operation == "status":
            return self.status()
        if operation == "down":
            self.request_stop()
            return {"ok": True}
        keeper = self._keepers.get(str(request.get("name", "")))
        if keeper is None:
            raise DeskError(f"this desk runs no component called {request.get('name')!r}.")
        if operation == "kill":
            return {"ok": True, "pid": keeper.kill()}
        if operation not in ("start", "stop", "restart"):
            raise DeskError(f"no such operation: {operation!r}.")
        self._change(keeper, operation)
        return {"ok": True, "pid": keeper.pid}

    def _change(self, keeper: Keeper, operation: str) -> None:
        with self._operation:
            if operation in ("stop", "restart"):
                keeper.stop()
            if operation in ("start", "restart") and not self._stopping.is_set():
                keeper.start()
                keeper.wait_ready(READY_SECONDS, interrupted=self._stopping.is_set)

    def status(self) -> dict[str, Any]:
        """Return the phase and each component's state, pid and restarts."""
        components = {
            name: {"state": keeper.state, "pid": keeper.pid, "restarts": keeper.restarts}
            for name, keeper in list(self._keepers.items())
        }
        return {"phase": self.phase, "pid": os.getpid(), "components": components, "at": time.time()}
