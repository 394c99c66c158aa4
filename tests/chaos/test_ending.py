"""Whoever ends a run ends its whole desk."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from desk.config import CHECKOUT
from desk.home import Home
from desk.orphans import find_orphans
from tests.chaos.ending import Ended, ended_by_signals
from tests.flows.helpers import wait_until


def test_the_first_signal_ends_the_block_and_a_second_lets_it_put_things_away() -> None:
    before = signal.getsignal(signal.SIGTERM)
    put_away = False
    with pytest.raises(Ended) as ended, ended_by_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            put_away = True
    assert put_away
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.flow
@pytest.mark.timeout(120)
def test_a_run_that_is_ended_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--seed", "1", "--faults", "10", "--traders", "2"]
    environment = os.environ | {"TRADINGSITE_HOME": str(tmp_path)}
    with (tmp_path / "said").open("w") as said:
        run = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=said, stderr=said)
    try:
        [home] = wait_until("the run has a folder", lambda: list(tmp_path.glob("chaos-1-*")))
        pids = home / "pids" / "postgres.json"
        wait_until("PostgreSQL runs", pids.exists, seconds=40)
        started = find_orphans(Home(home))
    finally:
        run.terminate()
        status = run.wait(timeout=60)
    assert status == 128 + signal.SIGTERM, (tmp_path / "said").read_text()
    assert started
    assert [identity for identity in started if identity.is_alive()] == []
    assert find_orphans(Home(home)) == []
    assert not home.exists()
