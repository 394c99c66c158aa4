"""The contract of `up`, the hint and `down`, on the whole desk through its own commands."""

import json
import subprocess
import time
import urllib.request

import pytest

from desk.home import Home
from desk.orphans import find_orphans
from tests.desk.conftest import Command

pytestmark = pytest.mark.flow


def test_up_prints_what_works_and_down_leaves_nothing(home: Home, desk_command: Command) -> None:
    up = desk_command("up")
    assert up.returncode == 0, up.stderr
    url = up.stdout.split("The desk runs: ")[1].strip()
    with urllib.request.urlopen(url + "readyz", timeout=10) as answer:
        assert answer.status == 200
    assert desk_command("status").returncode == 0

    hint = desk_command("demo-hint").stdout.splitlines()
    assert hint[0] == f"Dashboard: {url}"
    assert hint[1].startswith("Login:     ")
    curl = hint[-1].removeprefix("An alert:  ")
    alert = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=30)
    order = json.loads(alert.stdout)
    assert order["cl_ord_id"], alert.stdout

    started = time.monotonic()
    again = desk_command("up")
    assert (again.returncode, "runs already" in again.stdout) == (0, True)
    assert time.monotonic() - started < 5.0

    secrets = [path.read_text().strip() for path in home.secrets.iterdir() if path.suffix != ".json"]
    logs = "".join(path.read_text(errors="replace") for path in home.logs.iterdir())
    assert [secret for secret in secrets if secret in logs] == []

    assert desk_command("down").returncode == 0
    assert find_orphans(home) == []
