"""Armed points are seen when somebody runs into them, and whoever stands still there is told of."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.arming import Arming, Hit, Hold
from tests.chaos.reversals import Reversals
from tests.flows.helpers import wait_until

PASSING = "from failpoints import failpoint; failpoint('bell.before'); print('on')"


@pytest.fixture
def stopped() -> list[tuple[Hit, Hold]]:
    return []


@pytest.fixture
def arming(tmp_path: Path, stopped: list[tuple[Hit, Hold]]) -> Iterator[Arming]:
    with Arming(tmp_path, lambda hit, hold: stopped.append((hit, hold))) as running:
        yield running


def passing(arming: Arming) -> subprocess.Popen[bytes]:
    environment = os.environ | {"FAILPOINTS": str(arming.folder)}
    return subprocess.Popen([sys.executable, "-c", PASSING], env=environment, stdout=subprocess.PIPE)


def test_whoever_dies_at_a_point_is_noted(arming: Arming, stopped: list[tuple[Hit, Hold]]) -> None:
    arming.arm("bell.before", "kill")
    with passing(arming) as process:
        assert process.wait(20) == -signal.SIGKILL
    wait_until("the hit is seen", lambda: arming.hits)
    assert [(hit.name, hit.action, hit.pid) for hit in arming.hits] == [("bell.before", "kill", process.pid)]
    assert stopped == []


def test_whoever_stands_still_is_told_of_with_its_hold(
    arming: Arming, stopped: list[tuple[Hit, Hold]]
) -> None:
    arming.arm("bell.before", "stop", Hold(2.5, unsupervised=True))
    with passing(arming) as process:
        wait_until("it stands still", lambda: stopped)
        [(hit, hold)] = stopped
        assert (hit.pid, hold) == (process.pid, Hold(2.5, unsupervised=True))
        wait_until("it is stopped", lambda: os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]))
        assert process.stdout is not None
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == b"on\n"
        assert process.wait(20) == 0


def test_what_nobody_passed_is_taken_back(arming: Arming) -> None:
    arming.arm("bell.before", "kill")
    assert arming.disarm() == ["bell.before"]
    with passing(arming) as process:
        assert process.wait(20) == 0
    assert arming.hits == []


def test_a_point_that_does_not_exist_cannot_be_armed(arming: Arming) -> None:
    with pytest.raises(KeyError):
        arming.arm("bell.never", "kill")


def test_reversals_come_in_time_or_at_once_and_never_stop_the_run() -> None:
    reversals, done = Reversals(), []
    reversals.after(0.05, lambda: done.append("soon"))
    wait_until("the first is due", lambda: done == ["soon"], seconds=2)
    reversals.after(60, lambda: done.append("hurried" if reversals.in_a_hurry else "late"))
    reversals.after(60, lambda: 1 / 0)
    reversals.finish()
    assert done == ["soon", "hurried"]
    assert len(reversals.failures) == 1
    assert "ZeroDivisionError" in reversals.failures[0]
    assert not reversals.in_a_hurry
