"""The watch over one component, with small programs in the components' place."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from desk import keeper as module
from desk.components import Component
from desk.errors import DeskError
from desk.home import Home
from desk.keeper import Keeper
from desk.processes import Children, Identity, session_of

SLEEPER = "import time; time.sleep(600)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("on", flush=True)
time.sleep(600)
"""
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
print(child.pid, flush=True)
time.sleep(600)
"""


def never() -> bool:
    return False


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Watched:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.reports: list[str] = []
        self.keepers: list[Keeper] = []

    def keep(self, program: str, **options: Any) -> Keeper:
        component = Component(
            name="part",
            command=[sys.executable, "-c", program],
            environment={"PATH": os.environ["PATH"]},
            **options,
        )
        keeper = Keeper(
            component,
            home=self.home,
            children=Children(),
            report=self.reports.append,
            refresh=lambda: component,
        )
        self.keepers.append(keeper)
        return keeper


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    home = Home(tmp_path)
    home.prepare()
    watched = Watched(home)
    yield watched
    for keeper in watched.keepers:
        keeper.stop(patience_seconds=0.0)


def test_what_dies_is_started_again_and_said(watched: Watched) -> None:
    keeper = watched.keep(SLEEPER)
    keeper.start()
    first = keeper.kill()
    wait_for(lambda: keeper.pid not in (None, first))
    assert keeper.restarts == 1
    assert watched.reports == ["part died (signal SIGKILL); starting it again in 0.2 s."]
    assert Identity.read(watched.home.pids / "part.json") == Identity.of(keeper.pid or 0)


def test_the_backoff_doubles_up_to_its_limit(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_BACKOFF_SECONDS", 0.4)
    keeper = watched.keep("import sys; sys.exit(3)")
    keeper.start()
    wait_for(lambda: len(watched.reports) >= 4)
    waits = [report.split(" in ")[1] for report in watched.reports[:4]]
    assert waits == ["0.2 s.", "0.4 s.", "0.4 s.", "0.4 s."]
    assert "exit code 3" in watched.reports[0]


def test_a_component_that_cannot_live_is_an_error_with_its_last_words(watched: Watched) -> None:
    keeper = watched.keep("import sys; sys.exit('the reason')", is_ready=never)
    keeper.start()
    with pytest.raises(DeskError, match="part keeps dying: the reason"):
        keeper.wait_ready(20.0, interrupted=never)


def test_stopped_stays_stopped(watched: Watched) -> None:
    keeper = watched.keep(SLEEPER)
    keeper.start()
    keeper.stop()
    assert (keeper.state, keeper.pid) == ("stopped", None)
    assert not (watched.home.pids / "part.json").exists()
    time.sleep(0.5)
    assert keeper.state == "stopped"
    keeper.start()
    assert keeper.state == "ready"


def test_a_stop_while_it_waits_to_start_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 60.0)
    keeper = watched.keep("")
    keeper.start()
    wait_for(lambda: keeper.state == "restarting")
    started = time.monotonic()
    keeper.stop()
    assert time.monotonic() - started < 2.0


def test_what_ignores_the_stop_signal_is_killed_after_its_patience(watched: Watched) -> None:
    keeper = watched.keep(STUBBORN, patience_seconds=0.3)
    keeper.start()
    wait_for(keeper.log.read_text)
    keeper.stop()
    assert keeper.pid is None


def test_a_stop_ends_the_whole_session(watched: Watched) -> None:
    keeper = watched.keep(PARENT)
    keeper.start()
    wait_for(keeper.log.read_text)
    child = Identity.of(int(keeper.log.read_text()))
    keeper.stop()
    assert child is not None
    assert not child.is_alive()


def test_children_of_a_killed_process_live_until_the_next_stop(watched: Watched) -> None:
    """A fleet's workers finish their orders when their supervisor dies."""
    keeper = watched.keep(PARENT)
    keeper.start()
    wait_for(keeper.log.read_text)
    child = Identity.of(int(keeper.log.read_text()))
    assert child is not None
    first = keeper.kill()
    wait_for(lambda: keeper.pid not in (None, first))
    keeper.tidy()
    assert child.is_alive()
    keeper.stop()
    assert not child.is_alive()
    assert session_of(first or 0) == []


def test_a_reused_pid_is_not_mistaken(tmp_path: Path) -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    Identity(own.pid, own.started - 100).write(tmp_path / "part.json")
    assert Identity.read(tmp_path / "part.json") is None
