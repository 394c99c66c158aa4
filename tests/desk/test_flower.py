"""Flower as the desk runs it: it asks for the password, shows, and changes nothing."""

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from flower.urls import handlers

from desk.testing import Desk, running_desk

CONTROLS = [
    "worker/shutdown/x",
    "worker/pool/restart/x",
    "worker/pool/grow/x",
    "worker/pool/shrink/x",
    "worker/pool/autoscale/x?min=1&max=2",
    "worker/queue/add-consumer/x?queue=pool",
    "worker/queue/cancel-consumer/x?queue=pool",
    "task/apply/orders.execute",
    "task/async-apply/orders.execute",
    "task/send-task/orders.execute",
    "task/abort/x",
    "task/timeout/x?workername=x&hard=1",
    "task/rate-limit/x?workername=x&ratelimit=1",
    "task/revoke/x?terminate=true",
]
READS = ["/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home: Path = tmp_path_factory.mktemp("flower")
    with running_desk(home, ("redis", "flower"), prepare=False) as desk:
        yield desk


def ask(desk: Desk, path: str, *, method: str = "GET", password: str | None = "") -> int:
    """Return the status of a request; the right password unless another, or None, is given."""
    request = urllib.request.Request(desk.flower_url + path, method=method)
    if password is not None:
        login = f"operator:{password or desk.home.read_secret('flower_password')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("path", READS)
def test_pages_need_the_password(desk: Desk, path: str) -> None:
    assert ask(desk, path, password=None) == 401
    assert ask(desk, path, password="wrong") == 401
    assert ask(desk, path) == 200


@pytest.mark.parametrize("path", CONTROLS)
def test_no_control_call_is_obeyed(desk: Desk, path: str) -> None:
    assert ask(desk, f"/api/{path}", method="POST") == 403
    assert ask(desk, f"/api/{path}", method="POST", password=None) == 401


def test_every_call_that_changes_something_is_listed() -> None:
    """A new Flower with a new control call must not slip through."""
    changing = {
        str(rule[0])
        for rule in handlers
        if isinstance(rule, tuple) and str(rule[0]).startswith("/api/") and "post" in vars(rule[1])
    }
    listed = {pattern for pattern in changing if any(pattern.split("(")[0][5:] in path for path in CONTROLS)}
    assert changing == listed
    assert len(changing) == len(CONTROLS)


def test_the_password_is_in_no_command_line_and_no_log(desk: Desk) -> None:
    password = desk.home.read_secret("flower_password")
    assert password not in Path(f"/proc/{desk.pid('flower')}/cmdline").read_text()
    assert password not in desk.read_log("flower")
