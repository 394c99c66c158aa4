"""The commands `run`, `up`, `down` and `status` as an operator sees them."""

import logging
import subprocess
import sys
import time
from typing import Any

from desk.components import answers, environment_of
from desk.config import CHECKOUT, Config
from desk.control import ask
from desk.errors import DeskError
from desk.logs import Follower
from desk.orphans import end_orphans
from desk.preparation import demo_hint
from desk.processes import Identity, end, send, wait_gone
from desk.supervisor import Options, Supervisor

UP_SECONDS = 120.0
DOWN_SECONDS = 180.0
FAILURE = "desk: "


def configure_logging() -> None:
    """Write the runner's own log lines to standard error, with UTC times."""
    formatter = logging.Formatter("%(asctime)s desk: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.getLogger("desk").addHandler(handler)
    logging.getLogger("desk").setLevel(logging.INFO)


def serve(config: Config, options: Options) -> None:
    """Run the supervisor without following the logs: what `up` puts into the background."""
    configure_logging()
    Supervisor(config, options).serve()


def run(config: Config, options: Options) -> None:
    """Run the desk in the foreground with every component's log lines, until Ctrl-C."""
    configure_logging()
    config.home.prepare()
    follower = Follower(config.home.logs, config.components)
    follower.start()
    supervisor = Supervisor(config, options)
    try:
        supervisor.serve(on_ready=lambda: _announce(config, supervisor))
    finally:
        follower.stop()


def up(config: Config, *, prepare: bool = True) -> None:
    """Run the desk in the background; return once it is ready. A desk that runs already is left alone.

    Raises DeskError when it is not ready within 120 seconds, or died on the way.
    """
    config.home.prepare()
    if config.home.is_locked():
        _wait_ready(config, None)
        print(f"The desk runs already: {config.url}/")
        return
    config.require_free_ports()
    log = config.home.logs / "desk.log"
    arguments = ["serve", "--components", ",".join(config.components)] + ([] if prepare else ["--no-prepare"])
    with log.open("ab") as output:
        start = output.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "desk", *arguments],
            cwd=CHECKOUT,
            env=environment_of(config, "desk"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    print("Starting the desk (the first start takes a little longer).")
    try:
        _wait_ready(config, child)
    except DeskError as error:
        raise DeskError(_reason(log.read_bytes()[start:]) or str(error)) from error
    print(f"The desk runs: {config.url}/")


def down(config: Config) -> None:
    """Stop the desk of this home and whatever a killed one left behind. The data stays."""
    home = config.home
    if not home.root.exists():
        print("There is no desk here.")
        return
    supervisor = Identity.read(home.pids / "desk.json") if home.is_locked() else None
    if supervisor is None and not home.is_locked():
        ended = end_orphans(home)
        print(f"Ended {ended} processes of a desk that was killed." if ended else "The desk does not run.")
        return
    try:
        ask(home.control_socket, {"op": "down"})
    except ConnectionError:
        if supervisor is not None:
            send(supervisor, 15)
    if supervisor is not None and wait_gone([supervisor], DOWN_SECONDS):
        end([supervisor], 9, 5.0)
    deadline = time.monotonic() + DOWN_SECONDS
    while home.is_locked() and time.monotonic() < deadline:
        time.sleep(0.1)
    end_orphans(home)
    print("The desk is stopped; its data stays in " + str(home.root))


def status(config: Config) -> bool:
    """Print each component's state; return whether all of them are ready."""
    try:
        answer = ask(config.home.control_socket, {"op": "status"})
    except ConnectionError:
        print("The desk does not run.")
        return False
    print(f"supervisor  pid {answer['pid']}, {answer['phase']}")
    for name, component in answer["components"].items():
        print(f"{name:<11} {component['state']:<10} pid {component['pid']}, {component['restarts']} restarts")
    return all(component["state"] == "ready" for component in answer["components"].values())


def logs(config: Config, names: list[str], lines: int, *, follow: bool) -> None:
    """Print the end of the components' logs, and what is added until Ctrl-C."""
    follower = Follower(config.home.logs, names or [*config.components, "desk"])
    follower.rewind(lines)
    follower.drain()
    if follow:
        follower.start()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            follower.stop()


def _announce(config: Config, supervisor: Supervisor) -> None:
    if "web" not in config.components:
        return
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline and supervisor.phase == "running":
        if answers(config.port, "/readyz"):
            print(f"\nThe desk runs. Ctrl-C stops it.\n{demo_hint(config)}\n", flush=True)
            return
        time.sleep(0.2)


def _wait_ready(config: Config, child: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + UP_SECONDS
    told = ""
    while not _is_ready(config):
        if child is not None and child.poll() is not None:
            raise DeskError(f"the desk stopped while it was starting; see {config.home.logs / 'desk.log'}.")
        if time.monotonic() > deadline:
            raise DeskError(f"the desk was not ready within {UP_SECONDS:.0f} s: {_unready(config)}.")
        phase = _status(config).get("phase", "")
        if phase and phase != told:
            told = phase
            print("  waiting until every part is ready" if phase == "running" else f"  {phase}", flush=True)
        time.sleep(0.25)


def _is_ready(config: Config) -> bool:
    answer = _status(config)
    if answer.get("phase") != "running":
        return False
    if "web" in answer["components"]:
        return answers(config.port, "/readyz")
    return all(component["state"] == "ready" for component in answer["components"].values())


def _unready(config: Config) -> str:
    answer = _status(config)
    names = [
        name for name, component in answer.get("components", {}).items() if component["state"] != "ready"
    ]
    return (
        f"waiting for {', '.join(names)}"
        if names
        else f"/readyz does not answer 200 (phase: {answer.get('phase')})"
    )


def _status(config: Config) -> dict[str, Any]:
    try:
        return ask(config.home.control_socket, {"op": "status"}, timeout_seconds=10.0)
    except (ConnectionError, TimeoutError):
        return {}


def _reason(output: bytes) -> str:
    """Return the one line with which the background supervisor ended, '' when it wrote none."""
    lines = output.decode(errors="replace").splitlines()
    return next((line.removeprefix(FAILURE) for line in reversed(lines) if line.startswith(FAILURE)), "")
