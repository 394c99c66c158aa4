"""The short version of ``make chaos``: a fixed seed and 30 faults; the long one is for ``make chaos``."""

import subprocess
import sys
from pathlib import Path

import pytest

from desk.config import CHECKOUT

SHORT = ("--seed", "20", "--faults", "30", "--seconds", "30", "--traders", "6")


@pytest.mark.flow
@pytest.mark.timeout(300)
def test_thirty_faults_lose_nothing_and_send_nothing_twice(prepared_home: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos", *SHORT, "--like", str(prepared_home)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            said, _ = run.communicate()
        finally:
            run.terminate()  # it takes its desk along
    assert run.returncode == 0, said
    assert "Verdict: zeros" in said
