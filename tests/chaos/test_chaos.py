"""The short version of ``make chaos``: a fixed seed and 30 faults; the long one is for ``make chaos``."""

import subprocess
import sys

import pytest

from desk.config import CHECKOUT

SHORT = ("--seed", "20", "--faults", "30", "--seconds", "30", "--traders", "6")


@pytest.mark.flow
@pytest.mark.timeout(300)
def test_thirty_faults_lose_nothing_and_send_nothing_twice() -> None:
    command = [sys.executable, "-m", "tests.chaos", *SHORT]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert "Verdict: zeros" in done.stdout
