import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desk.config import CHECKOUT, scratch_environment
from desk.home import Home
from desk.orphans import end_orphans, find_orphans
from desk.testing import free_ports

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A desk's folder, and the proof that the test left no process of it behind."""
    home = Home(tmp_path / "home")
    yield home
    left = find_orphans(home)
    end_orphans(home)
    assert left == []


@pytest.fixture
def desk_command(home: Home) -> Command:
    """Run `python -m desk` for `home` on ports of its own, as an operator would."""
    names = ("PORT", "VENUE_PORT", "FLOWER_PORT")
    ports = dict(zip(names, map(str, free_ports(3)), strict=True))

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "desk", *arguments],
            cwd=CHECKOUT,
            env=scratch_environment(home.root) | ports | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
