"""The desks of tests leave nothing behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from desk.config import CHECKOUT, scratch_environment
from desk.home import Home
from desk.orphans import find_orphans

START_AND_DIE = """
import os, signal, sys
from pathlib import Path
from desk.testing import start_desk
desk = start_desk(Path(sys.argv[1]), ("redis",), prepare=False)
desk.wait_ready()
print(desk.pid("redis"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems do not tell of a parent's death"
)
def test_a_desk_stops_when_whoever_started_it_is_killed(home: Home) -> None:
    died = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(home.root)],
        cwd=CHECKOUT,
        env=scratch_environment(home.root),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert died.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while find_orphans(home) or home.is_locked():
        assert time.monotonic() < deadline, "the desk runs on"
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(int(died.stdout), 0)
