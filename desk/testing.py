"""A desk of its own for a test: any subset of components, on free ports, in a folder that goes away."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desk.config import ALL, CHECKOUT, scratch_environment
from desk.control import ask
from desk.errors import DeskError
from desk.home import Home
from desk.orphans import end_orphans
from desk.postgres import Postgres, hand_over

PREPARED = ("pgdata", "keys", "secrets", "static")
"""What a desk's first start leaves in its folder for good."""

_PR_SET_PDEATHSIG = 1


@dataclass
class Desk:
    """A running desk; `process` is its supervisor."""

    home: Home
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    checkout: Path = CHECKOUT
    """The folder whose code runs."""

    @property
    def url(self) -> str:
        """The web process's address."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @property
    def venue_url(self) -> str:
        """The venue's address."""
        return f"http://127.0.0.1:{self.environment['VENUE_PORT']}"

    @property
    def flower_url(self) -> str:
        """Flower's address."""
        return f"http://127.0.0.1:{self.environment['FLOWER_PORT']}"

    def conninfo(self, user: str = "postgres", database: str = "postgres") -> str:
        """Return a libpq connection string of the embedded PostgreSQL."""
        return Postgres(self.home).conninfo(user, database)

    def status(self) -> dict[str, Any]:
        """Return the phase and each component's state, pid and restarts."""
        return ask(self.home.control_socket, {"op": "status"})

    def pid(self, name: str) -> int:
        """Return the pid of a component's main process; raises DeskError while it has none."""
        pid = self.status()["components"][name]["pid"]
        if pid is None:
            raise DeskError(f"{name} is not running.")
        return int(pid)

    def start(self, name: str) -> None:
        """Start a stopped component and wait until it is ready."""
        ask(self.home.control_socket, {"op": "start", "name": name})

    def stop(self, name: str) -> None:
        """Stop a component and all it started; it stays stopped."""
        ask(self.home.control_socket, {"op": "stop", "name": name})

    def restart(self, name: str) -> None:
        """Stop a component, start it, wait until it is ready."""
        ask(self.home.control_socket, {"op": "restart", "name": name})

    def kill(self, name: str) -> None:
        """Kill a component's main process with SIGKILL; the supervisor starts it again."""
        ask(self.home.control_socket, {"op": "kill", "name": name})

    def wait_ready(self, *names: str, seconds: float = 60.0) -> None:
        """Wait until the named components, all when none is named, are ready.

        Raises DeskError with the end of the supervisor's log when they are not.
        """
        deadline = time.monotonic() + seconds
        while not self._is_ready(names):
            dying = self._dying(names)
            if dying or self.process.poll() is not None or time.monotonic() > deadline:
                said = "".join(f"\n--- {name}:\n{self.read_log(name)[-3000:]}" for name in ("desk", *dying))
                raise DeskError(f"the test's desk did not become ready:{said}")
            time.sleep(0.05)

    def read_log(self, name: str) -> str:
        """Return what a component (or `desk`, the supervisor) wrote."""
        path = self.home.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def run(self, *command: str, timeout_seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a Python command (`manage.py ledger_check`, `-m desk status`) in this desk's environment."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )

    def _dying(self, names: Sequence[str]) -> list[str]:
        """Return the components that were started again so often that they will not live."""
        try:
            components = self.status()["components"]
        except (ConnectionError, TimeoutError):
            return []
        limit = 4
        return [
            name
            for name, component in components.items()
            if name in (names or components)
            and component["restarts"] >= limit
            and component["state"] != "ready"
        ]

    def _is_ready(self, names: Sequence[str]) -> bool:
        try:
            status = self.status()
        except (ConnectionError, TimeoutError):
            return False
        components = status["components"]
        return status["phase"] == "running" and all(
            components[name]["state"] == "ready" for name in names or components
        )


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextlib.contextmanager
def running_desk(
    home: Path | None = None,
    components: Sequence[str] = ALL,
    env: Mapping[str, str] | None = None,
    *,
    prepare: bool = True,
    like: Path | None = None,
    ready_seconds: float = 120.0,
    checkout: Path = CHECKOUT,
) -> Iterator[Desk]:
    """Run the chosen components under a supervisor of their own, and leave no process behind.

    `home` is kept when it is given, else a temporary folder is used and removed. `env` comes on top of this
    process's environment without what belongs to another desk. `prepare=False` leaves migrations, static
    files and the demo trader out; `like` is a folder of `prepare_home` from which they are copied, which takes
    a fraction of the time. `checkout` is the folder whose code runs.
    """
    root = home or Path(tempfile.mkdtemp(prefix="desk-"))
    if like is not None:
        _copy_prepared(like, root)
    desk = start_desk(root, components, env, prepare=prepare and like is None, checkout=checkout)
    try:
        desk.wait_ready(seconds=ready_seconds)
        yield desk
    finally:
        stop_desk(desk)
        if home is None:
            shutil.rmtree(root, ignore_errors=True)


def start_desk(
    root: Path,
    components: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    prepare: bool = True,
    checkout: Path = CHECKOUT,
) -> Desk:
    """Start a supervisor and return at once; `running_desk` is what most tests want.

    It stops by itself when the thread that called this ends, also with a SIGKILL (Linux).
    """
    port, venue_port, flower_port = free_ports(3)
    environment = scratch_environment(root)
    environment |= {"PORT": str(port), "VENUE_PORT": str(venue_port), "FLOWER_PORT": str(flower_port)}
    environment |= {"VENUE_CONTROL": "1"} | dict(env or {})
    home = Home(root)
    home.prepare()
    command = [sys.executable, "-m", "desk", "serve", "--components", ",".join(components)]
    with (home.logs / "desk.log").open("ab") as log:
        process = subprocess.Popen(
            command if prepare else [*command, "--no-prepare"],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform.startswith("linux") else None,
        )
    return Desk(home, environment, process, checkout)


def prepare_home(root: Path) -> None:
    """Do in an empty folder what a desk's first start does, for `running_desk(like=...)`; nothing runs after it."""
    desk = start_desk(root, ("postgres", "redis", "venue", "web"))
    try:
        desk.wait_ready("postgres", seconds=300.0)  # in its last phase, so once everything is prepared
    finally:
        stop_desk(desk)


def _copy_prepared(prepared: Path, root: Path) -> None:
    home = Home(root)
    home.prepare()
    hand_over(home.run)
    subprocess.run(["cp", "-Rp", *(prepared / name for name in PREPARED), root], check=True)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def stop_desk(desk: Desk) -> None:
    """Stop a desk and end whatever is left of it. Safe to call twice."""
    if desk.process.poll() is None:
        desk.process.terminate()
        try:
            desk.process.wait(timeout=120.0)
        except subprocess.TimeoutExpired:
            desk.process.kill()
            desk.process.wait()
    end_orphans(desk.home)
    run = desk.home.root / "run"
    if run.is_symlink():
        shutil.rmtree(os.path.realpath(run), ignore_errors=True)
