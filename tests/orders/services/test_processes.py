"""Which process a worker's name means: the one of its birth, whatever any clock says meanwhile."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orders.services import processes
from orders.services.processes import is_another, process_began_at, worker_name
from tasks.host import has_ended, is_gone


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_when_a_process_began_is_read_from_the_system(process: subprocess.Popen[bytes]) -> None:
    began_at = process_began_at(process.pid)
    assert began_at is not None
    assert since_boot() - 30 < began_at <= since_boot()


def test_a_process_that_has_ended_is_gone_whether_waited_for_or_not(process: subprocess.Popen[bytes]) -> None:
    assert not is_gone(process.pid, None)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert is_gone(process.pid, None)
    process.wait()
    assert is_gone(process.pid, None)


def test_a_worker_is_known_by_its_name(process: subprocess.Popen[bytes]) -> None:
    name = worker_name(pid=process.pid, host="h")
    assert not is_gone(process.pid, name)


def test_a_process_that_took_over_the_number_is_another(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "clock_gettime", lambda _clock: since - 1)
        since = process_began_at(process.pid) or 0.0
        name = worker_name(pid=process.pid, host="h")
    assert is_gone(process.pid, name)


def test_after_a_new_boot_every_process_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    name = worker_name(pid=1, host="h")
    assert not is_another(0.0, name)
    monkeypatch.setattr(processes, "_boot", lambda: "01234567")
    assert is_another(0.0, name)


@pytest.mark.parametrize("name", ["w", "worker-1@h", f"worker-1-{1:x}@h"])
def test_a_name_that_tells_of_no_birth_proves_nothing(name: str) -> None:
    assert not is_another(since_boot(), name)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_makes_no_process_another(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    name, started, real = worker_name(pid=process.pid, host="h"), since_boot(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
    assert not is_gone(process.pid, name)
    assert not has_ended(process.pid, started)


def test_a_child_whose_number_was_taken_over_has_ended(process: subprocess.Popen[bytes]) -> None:
    assert has_ended(process.pid, since_boot() - 60)
