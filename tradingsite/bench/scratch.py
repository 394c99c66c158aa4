"""A desk only for measuring: production's settings, free ports, a folder that goes away."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from desk.config import ALL, CHECKOUT
from desk.testing import running_desk

COMPONENTS = [name for name in ALL if name != "flower"]
PRODUCTION = {
    "PRODUCTION": "1",
    "DEBUG": "0",
    "VENUE_CONTROL": "1",  # the prices that resting orders wait for are ordered
    "BASE_URL": "https://desk.example.com",
    "ALLOWED_HOSTS": "desk.example.com,127.0.0.1",  # the runner probes the process itself
    "CSRF_TRUSTED_ORIGINS": "https://desk.example.com",
}


def measure_scratch_desk(home: Path, arguments: Sequence[str]) -> int:
    """Run ``manage.py bench`` with these arguments in the environment of a desk of its own; return its exit code.

    ``home`` is where that desk keeps its data meanwhile, so on the disk that the real one would use.
    """
    shutil.rmtree(home, ignore_errors=True)
    try:
        with running_desk(home, COMPONENTS, PRODUCTION) as desk:
            command = [sys.executable, "manage.py", "bench", "--running", *arguments]
            return subprocess.run(command, cwd=CHECKOUT, env=desk.environment).returncode
    finally:
        shutil.rmtree(home, ignore_errors=True)
