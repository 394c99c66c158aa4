import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from desk.errors import DeskError
from desk.home import Home
from desk.postgres import MAX_CONNECTIONS, ROLES, WHEEL_FOLDERS, Postgres
from desk.processes import Identity, inside
from desk.testing import Desk, running_desk

STORES = ("postgres",)


def query(desk: Desk, statement: str, user: str = "postgres", database: str = "postgres") -> list[tuple]:
    with psycopg.connect(desk.conninfo(user, database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def wait_for_query(desk: Desk, statement: str, seconds: float = 20.0) -> list[tuple]:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return query(desk, statement)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("major", WHEEL_FOLDERS)
def test_the_wheel_has_the_programs_where_we_look(major: int) -> None:
    program = Postgres(Home(Path("/")), major).binary("postgres")
    answer = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    assert f" {major}." in answer


def test_settings_encoding_roles_and_databases(home: Home) -> None:
    with running_desk(home.root, STORES, prepare=False) as desk:
        settings = dict(query(desk, "SELECT name, setting FROM pg_settings"))
        assert settings["fsync"] == "on"
        assert settings["listen_addresses"] == ""
        assert int(settings["max_connections"]) == MAX_CONNECTIONS >= 3 * 300 + 50
        assert settings["server_encoding"] == "UTF8"
        assert settings["password_encryption"] == "scram-sha-256"
        assert settings["server_version_num"].startswith("18")
        locale = "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'tradingsite'"
        assert query(desk, locale) == [("b", "C.UTF-8")]
        owners = "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate ORDER BY 1"
        assert query(desk, owners) == [
            ("postgres", "postgres"),
            ("tradingsite", "tradingsite_owner"),
            ("venue", "venue"),
        ]
        roles = "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname !~ '^pg_'"
        assert {row[0]: any(row[1:]) for row in query(desk, roles)} == dict.fromkeys(ROLES, False) | {
            "postgres": True
        }


def test_hosts_need_scram_and_other_roles_stay_out(home: Home) -> None:
    with running_desk(home.root, STORES, prepare=False) as desk:
        rules = query(desk, "SELECT DISTINCT type, auth_method FROM pg_hba_file_rules ORDER BY 1")
        assert rules == [("host", "scram-sha-256"), ("local", "trust")]
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            query(desk, "SELECT 1", user="tradingsite_app", database="venue")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            query(desk, "SELECT 1", user="venue", database="tradingsite")
        assert query(desk, "SELECT 1", user="tradingsite_app", database="tradingsite") == [(1,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            query(desk, "CREATE TABLE t ()", user="tradingsite_auditor", database="tradingsite")


def test_committed_rows_survive_a_kill(home: Home) -> None:
    with running_desk(home.root, STORES, prepare=False) as desk:
        query(desk, "CREATE TABLE kept (n int)")
        query(desk, "INSERT INTO kept VALUES (1)")
        before = desk.pid("postgres")
        desk.kill("postgres")
        assert wait_for_query(desk, "SELECT n FROM kept") == [(1,)]
        assert desk.pid("postgres") != before
        assert "postgres died (signal SIGKILL)" in desk.read_log("desk")
        desk.restart("postgres")
        assert query(desk, "SELECT n FROM kept") == [(1,)]


def test_a_stop_is_fast_and_leaves_no_process(home: Home) -> None:
    with running_desk(home.root, STORES, prepare=False) as desk:
        with psycopg.connect(desk.conninfo()):  # an open session must not hold it up
            started = time.monotonic()
            desk.stop("postgres")
            assert time.monotonic() - started < 3.0
        assert list(inside(home.pgdata, "postgres")) == []
        assert not (home.pgdata / "postmaster.pid").exists()


def test_a_stale_lock_with_a_living_pid_is_removed(home: Home) -> None:
    """The pid of a killed server may belong to anyone now: PostgreSQL itself would refuse to start."""
    with running_desk(home.root, STORES, prepare=False):
        pass
    stale = f"{os.getppid()}\n{home.pgdata}\n{int(time.time())}\n5432\n{home.run}\n\n  1 1\nready   \n"
    (home.pgdata / "postmaster.pid").write_text(stale)
    with running_desk(home.root, STORES, prepare=False) as desk:
        assert query(desk, "SELECT 1") == [(1,)]


def test_the_lock_of_a_living_server_is_never_removed(home: Home) -> None:
    with running_desk(home.root, STORES, prepare=False) as desk:
        lock = home.pgdata / "postmaster.pid"
        before = lock.read_text()
        with pytest.raises(DeskError, match=f"another PostgreSQL .pid {desk.pid('postgres')}. runs"):
            Postgres(home).prepare()
        assert lock.read_text() == before


def test_a_backend_that_outlives_its_server_is_ended_first(home: Home) -> None:
    with running_desk(home.root, STORES, prepare=False) as desk:
        with psycopg.connect(desk.conninfo()) as connection:
            backend = connection.info.backend_pid
            identity = Identity.of(backend)
            assert identity is not None
            os.kill(backend, signal.SIGSTOP)  # a frozen backend cannot see that its server is gone
            desk.kill("postgres")
            wait_for_query(desk, "SELECT 1")
            assert not identity.is_alive()


def test_a_folder_of_another_major_version_is_one_clear_line(home: Home) -> None:
    home.prepare()
    home.pgdata.mkdir()
    (home.pgdata / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        DeskError, match="made by PostgreSQL 16, this desk runs 18: run 'python -m desk upgrade"
    ):
        Postgres(home).prepare()


def test_an_interrupted_initdb_is_done_again(home: Home) -> None:
    home.prepare()
    (home.root / "pgdata.new").mkdir()
    (home.root / "pgdata.new" / "half").write_text("")
    with running_desk(home.root, STORES, prepare=False) as desk:
        assert query(desk, "SELECT 1") == [(1,)]


def test_a_long_home_path(home: Home) -> None:
    long = home.root / ("x" * 100)
    with running_desk(long, ("postgres", "redis"), prepare=False) as desk:
        assert query(desk, "SELECT 1") == [(1,)]
        assert desk.status()["components"]["redis"]["state"] == "ready"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give away")
def test_as_root_without_user_namespaces_the_server_runs_as_another_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import shutil
    import tempfile

    from desk import postgres as module

    monkeypatch.setattr(module, "root_prefix", lambda: ())
    root = Path(tempfile.mkdtemp(prefix="handed-", dir="/tmp"))
    root.chmod(0o755)
    try:
        script = (
            "import desk.postgres as p; p.root_prefix = lambda: ();"
            "from desk.__main__ import main; main(['serve', '--components', 'postgres', '--no-prepare'])"
        )
        home = Home(root)
        environment = os.environ | {"TRADINGSITE_HOME": str(root)}
        server = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
        wait_for_query(Desk(home, {}, server), "SELECT 1")
        pid = next(iter(inside(home.pgdata, "postgres"))).pid
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        server.terminate()
        assert server.communicate(timeout=30)[1].decode().rstrip().endswith("stopped.")
        assert list(inside(home.pgdata, "postgres")) == []
    finally:
        shutil.rmtree(root)
