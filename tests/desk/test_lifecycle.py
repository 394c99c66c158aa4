"""The commands of an operator, on the two stores: what they say, what they leave."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from desk.config import ALL, CHECKOUT, scratch_environment
from desk.home import Home
from desk.orphans import find_orphans
from desk.processes import Identity
from desk.testing import Desk, running_desk
from tests.desk.conftest import Command

STORES = ("--components", "postgres,redis", "--no-prepare")


def test_up_twice_and_down_twice(home: Home, desk_command: Command) -> None:
    first = desk_command("up", *STORES)
    assert first.returncode == 0, first.stderr
    assert "starting postgres" in first.stdout
    assert "The desk runs: http://127.0.0.1:" in first.stdout
    second = desk_command("up", *STORES)
    assert (second.returncode, "runs already" in second.stdout) == (0, True)
    assert desk_command("status").returncode == 0
    down = desk_command("down")
    assert (down.returncode, "its data stays" in down.stdout) == (0, True)
    assert find_orphans(home) == []
    assert (home.pgdata / "PG_VERSION").exists()
    again = desk_command("down")
    assert (again.returncode, again.stdout) == (0, "The desk does not run.\n")
    assert desk_command("status").returncode == 1


def test_down_ends_what_a_killed_supervisor_left(home: Home, desk_command: Command) -> None:
    desk_command("up", *STORES)
    supervisor = Identity.read(home.pids / "desk.json")
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    assert len(find_orphans(home)) > 2
    down = desk_command("down")
    assert down.returncode == 0
    assert down.stdout.startswith("Ended ")
    assert find_orphans(home) == []
    assert not (home.pgdata / "postmaster.pid").exists()  # PostgreSQL was stopped, not killed


def test_up_after_a_killed_supervisor_starts_afresh(home: Home, desk_command: Command) -> None:
    desk_command("up", *STORES)
    supervisor = Identity.read(home.pids / "desk.json")
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    up = desk_command("up", *STORES)
    assert up.returncode == 0, up.stderr
    assert desk_command("status").returncode == 0
    assert desk_command("down").returncode == 0


def test_orphans_are_found_without_pid_files_and_only_of_this_home(home: Home, desk_command: Command) -> None:
    with running_desk(components=("redis",), prepare=False) as other:
        desk_command("up", *STORES)
        supervisor = Identity.read(home.pids / "desk.json")
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        shutil.rmtree(home.pids)
        assert desk_command("down").returncode == 0
        assert find_orphans(home) == []
        assert other.status()["components"]["redis"] == {
            "state": "ready",
            "pid": other.pid("redis"),
            "restarts": 0,
        }


def test_two_desks_side_by_side(home: Home) -> None:
    with (
        running_desk(home.root / "a", ("postgres", "redis"), prepare=False) as first,
        running_desk(home.root / "b", ("postgres", "redis"), prepare=False) as second,
    ):
        assert first.pid("postgres") != second.pid("postgres")
        first.stop("postgres")
        assert second.status()["components"]["postgres"]["state"] == "ready"


def test_a_second_desk_in_the_same_home_is_refused(home: Home, desk_command: Command) -> None:
    desk_command("up", *STORES)
    second = desk_command("serve", *STORES)
    assert (second.returncode, second.stderr) == (
        1,
        f"desk: another desk is running in {home.root}; stop it with 'make down'.\n",
    )
    assert desk_command("down").returncode == 0


@pytest.mark.parametrize("setting", ["PORT", "VENUE_PORT", "FLOWER_PORT"])
def test_a_port_in_use_is_one_clear_line(setting: str, desk_command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        up = desk_command("up", **{setting: port})
    assert (up.returncode, up.stderr) == (1, f"desk: port {port} is in use; set {setting} to a free one.\n")


def test_an_unwritable_home_is_one_clear_line(tmp_path: Path, desk_command: Command) -> None:
    (tmp_path / "file").write_text("")
    up = desk_command("up", TRADINGSITE_HOME=str(tmp_path / "file" / "home"))
    assert up.returncode == 1
    assert up.stderr == f"desk: TRADINGSITE_HOME {tmp_path}/file/home cannot be written: Not a directory.\n"


def test_a_folder_of_another_major_version_ends_up_with_one_line(home: Home, desk_command: Command) -> None:
    home.prepare()
    home.pgdata.mkdir()
    (home.pgdata / "PG_VERSION").write_text("16\n")
    up = desk_command("up", *STORES)
    assert up.returncode == 1
    assert "upgrade-database" in up.stderr
    assert up.stderr.count("\n") == 1


def test_a_preparation_that_fails_ends_up_with_its_reason(home: Home, desk_command: Command) -> None:
    home.prepare()
    shutil.rmtree(home.keys)
    home.keys.write_text("in the way")
    up = desk_command("up", "--components", "postgres,redis")
    assert up.returncode == 1
    assert up.stderr.startswith("desk: ")
    assert up.stderr.count("\n") == 1


def test_an_external_database_is_not_started(desk_command: Command) -> None:
    up = desk_command("up", *STORES, DATABASE_URL="postgres://u:p@127.0.0.1:1/db")
    assert up.returncode == 0
    status = desk_command("status").stdout
    assert "redis" in status
    assert "postgres" not in status
    assert desk_command("down").returncode == 0
    missing = desk_command("up", DATABASE_URL="postgres://u:p@127.0.0.1:1/db")
    assert (missing.returncode, "VENUE_DATABASE_URL must be set too" in missing.stderr) == (1, True)


def test_operations_on_one_component(home: Home, desk_command: Command) -> None:
    desk_command("up", *STORES)
    assert desk_command("stop", "redis").returncode == 0
    assert desk_command("status").returncode == 1
    assert desk_command("start", "redis").returncode == 0
    assert desk_command("restart", "redis").returncode == 0
    assert desk_command("status").returncode == 0
    wrong = desk_command("stop", "nothing")
    assert (wrong.returncode, wrong.stderr) == (1, "desk: this desk runs no component called 'nothing'.\n")
    assert "ready to accept connections" in desk_command("logs", "redis").stdout
    assert desk_command("down").returncode == 0


def test_run_follows_the_logs_and_ends_with_an_interrupt(home: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "desk", "run", *STORES],
        cwd=CHECKOUT,
        env=scratch_environment(home.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    Desk(home, {}, process).wait_ready()
    process.send_signal(signal.SIGINT)
    output, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "postgres | " in output
    assert "redis    | " in output
    assert log.rstrip().endswith("stopped.")


def test_no_zombie_is_kept(home: Home) -> None:
    """The supervisor reaps what its components left to it."""
    with running_desk(home.root, ("postgres",), prepare=False) as desk:
        desk.kill("postgres")
        desk.wait_ready()
        time.sleep(2.5)
        children = psutil.Process(desk.process.pid).children(recursive=True)
        assert [child for child in children if child.status() == psutil.STATUS_ZOMBIE] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test is this one when pytest is not root")
def test_as_an_ordinary_user() -> None:
    account = pwd.getpwnam("nobody")
    root = Path(tempfile.mkdtemp(prefix="user-", dir="/tmp"))
    os.chown(root, account.pw_uid, account.pw_gid)
    # Reading is allowed everywhere, as the interpreter may lie in root's own folder; writing is not.
    become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    become += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    environment = scratch_environment(root / "home") | {"HOME": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        for arguments in (["up", *STORES], ["kill", "postgres"], ["status"], ["down"]):
            command = [*become, sys.executable, "-m", "desk", *arguments]
            result = subprocess.run(
                command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120
            )
            assert result.returncode == 0 or arguments == ["status"], result.stderr
        assert (root / "home" / "pgdata").stat().st_uid == account.pw_uid
        assert find_orphans(Home(root / "home")) == []
    finally:
        shutil.rmtree(root)


def test_every_component_has_a_place_in_both_orders() -> None:
    from desk.config import STOP_ORDER

    assert sorted(ALL) == sorted(STOP_ORDER)
