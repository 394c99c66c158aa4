"""What an armed point does to a real process, and that an unarmed one costs nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from failpoints import FailpointError, arm, disarm, failpoint, listening
from failpoints.catalog import POINTS
from tests.failpoints.effects import CHECKOUT

POINT = "send.departing"
PASS_AND_SAY = f"from failpoints import failpoint; failpoint('{POINT}'); print('passed')"


def child(script: str, folder: Path | None) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "FAILPOINTS"}
    if folder is not None:
        environment["FAILPOINTS"] = str(folder)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(script: str, folder: Path | None) -> tuple[int, str, str]:
    process = child(script, folder)
    out, err = process.communicate(timeout=20)
    return process.returncode, out.strip(), err


def hits(folder: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in folder.iterdir())


def test_kill_ends_the_process_at_once(tmp_path: Path) -> None:
    path = arm(tmp_path, POINT, "kill")
    code, out, _ = run(f"import atexit; atexit.register(print, 'ended'); {PASS_AND_SAY}", tmp_path)
    assert (code, out) == (-signal.SIGKILL, "")
    assert not path.exists()
    assert hits(tmp_path) == [f"{POINT}.hit"]


def test_stop_stands_still_until_continued(tmp_path: Path) -> None:
    arm(tmp_path, POINT, "stop")
    process = child(PASS_AND_SAY, tmp_path)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP
    os.kill(process.pid, signal.SIGCONT)
    assert process.communicate(timeout=20)[0].strip() == "passed"
    assert process.returncode == 0


def test_fail_raises(tmp_path: Path) -> None:
    arm(tmp_path, POINT, "fail")
    code, out, err = run(PASS_AND_SAY, tmp_path)
    assert (code, out) == (1, "")
    assert f"FailpointError: {POINT}" in err


def test_sleep_takes_as_long_as_it_says(tmp_path: Path) -> None:
    arm(tmp_path, POINT, "sleep 0.3")
    timed = f"import time; a = time.monotonic(); {PASS_AND_SAY}; print(time.monotonic() - a)"
    code, out, _ = run(timed, tmp_path)
    passed, seconds = out.split()
    assert (code, passed) == (0, "passed")
    assert 0.3 <= float(seconds) < 5


def test_what_is_no_action_is_an_error(tmp_path: Path) -> None:
    arm(tmp_path, POINT, "explode now")
    code, out, err = run(PASS_AND_SAY, tmp_path)
    assert (code, out) == (1, "")
    assert f"failpoint {POINT}: 'explode now'" in err


def test_a_point_goes_off_once_and_others_not_at_all(tmp_path: Path) -> None:
    arm(tmp_path, POINT, "fail")
    twice = f"""
from failpoints import FailpointError, failpoint
failpoint("send.after")
for _ in range(2):
    try:
        failpoint("{POINT}")
        print("passed")
    except FailpointError:
        print("failed")
"""
    assert run(twice, tmp_path)[1].split() == ["failed", "passed"]


def test_two_processes_take_each_point_once(tmp_path: Path) -> None:
    take_all = """
import sys
from failpoints import FailpointError, failpoint
from failpoints.catalog import POINTS
print("ready", flush=True)
sys.stdin.readline()
for name in POINTS:
    try:
        failpoint(name)
    except FailpointError:
        print(name)
"""
    for name in POINTS:
        arm(tmp_path, name, "fail")
    racers = [child(take_all, tmp_path) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    taken = [racer.communicate("go\n", timeout=20)[0].split() for racer in racers]
    assert sorted(taken[0] + taken[1]) == sorted(POINTS)
    assert hits(tmp_path) == sorted(f"{name}.hit" for name in POINTS)


WATCHED = """
import sys
from failpoints import failpoint
from failpoints.catalog import POINTS
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event))
for name in POINTS:
    failpoint(name)
print(len(seen))
"""


def test_off_costs_no_look_at_any_file(tmp_path: Path) -> None:
    arm(tmp_path, POINT, "kill")
    assert run(WATCHED, None)[:2] == (0, "0")


def test_on_does_look_at_files(tmp_path: Path) -> None:
    code, out, _ = run(WATCHED, tmp_path)  # what the test above counts is seen here
    assert (code, int(out) >= len(POINTS)) == (0, True)


def test_off_costs_a_fraction_of_a_microsecond() -> None:
    rounds = 100_000
    started = time.perf_counter()
    for _ in range(rounds):
        failpoint(POINT)
    assert (time.perf_counter() - started) / rounds < 5e-6


def test_an_unknown_point_cannot_be_armed(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        arm(tmp_path, "send.departed", "kill")
    assert list(tmp_path.iterdir()) == []


def test_disarm_takes_back_what_nobody_has_passed(tmp_path: Path) -> None:
    arm(tmp_path, "send.after", "fail")
    run("from failpoints import failpoint; failpoint('send.after')", tmp_path)
    waiting = arm(tmp_path, POINT, "kill")
    assert waiting.exists()
    assert disarm(tmp_path) == [POINT]
    assert disarm(tmp_path) == []
    assert hits(tmp_path) == ["send.after.hit"]
    assert run(PASS_AND_SAY, tmp_path)[:2] == (0, "passed")


def test_a_listener_hears_every_point_for_its_block_and_may_raise() -> None:
    heard: list[str] = []
    with listening(heard.append):
        failpoint("send.after")
        failpoint(POINT)
    failpoint("reply.before")
    assert heard == ["send.after", POINT]

    def refuse(name: str) -> None:
        raise FailpointError(name)

    with pytest.raises(FailpointError, match=POINT), listening(refuse):
        failpoint(POINT)
    failpoint(POINT)
