import subprocess
from pathlib import Path

import psycopg
import pytest

from desk.errors import DeskError
from desk.home import Home
from desk.postgres import Postgres, root_prefix, server_account
from desk.testing import running_desk
from tests.desk.conftest import Command


@pytest.fixture
def old_cluster(home: Home, desk_command: Command) -> Home:
    """A data folder of PostgreSQL 16 with the desk's roles and one row."""
    home.prepare()
    old = Postgres(home, 16)
    if server_account() is not None:
        pytest.skip("root without user namespaces cannot run PostgreSQL here")
    initdb = [*root_prefix(), old.binary("initdb"), "-D", str(home.pgdata), "-U", "postgres", "-A", "trust"]
    subprocess.run([*initdb, "--encoding=UTF8", "--locale=C"], check=True, capture_output=True, cwd="/")
    server = subprocess.Popen(old.command(), cwd="/", stderr=subprocess.DEVNULL)
    while not old.is_ready():
        assert server.poll() is None
    old.create_roles()
    with psycopg.connect(old.conninfo("tradingsite_owner", "tradingsite")) as connection:
        connection.execute("CREATE TABLE public_orders (id int PRIMARY KEY, text text)")
        connection.execute("INSERT INTO public_orders SELECT n, 'ü' || n FROM generate_series(1, 500) n")
    server.send_signal(2)
    server.wait()
    return home


def test_rows_owners_and_privileges_come_along(old_cluster: Home, desk_command: Command) -> None:
    assert "upgrade-database" in desk_command("up", "--components", "postgres", "--no-prepare").stderr
    upgrade = desk_command("upgrade-database")
    assert upgrade.returncode == 0, upgrade.stderr
    with running_desk(old_cluster.root, ("postgres",), prepare=False) as desk:
        with psycopg.connect(desk.conninfo("tradingsite_owner", "tradingsite")) as connection:
            assert connection.info.server_version // 10000 == 18
            rows = connection.execute("SELECT count(*), max(text) FROM public_orders").fetchone()
            assert rows == (500, "ü99")
            owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'public_orders'"
            assert connection.execute(owner).fetchone() == ("tradingsite_owner",)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(desk.conninfo("venue", "tradingsite"))
    kept = [path.name for path in old_cluster.root.glob("pgdata-16-*")]
    assert len(kept) == 1
    assert desk_command("upgrade-database").stderr.startswith("desk: there is nothing to upgrade")


def test_a_failed_restore_puts_the_old_folder_back(
    old_cluster: Home, desk_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from desk import upgrade
    from desk.config import Config

    def fail(dump: Path, new: Postgres) -> None:
        raise DeskError("the restore is incomplete")

    monkeypatch.setattr(upgrade, "_require_same_databases", fail)
    config = Config.read({"TRADINGSITE_HOME": str(old_cluster.root)})
    with pytest.raises(DeskError, match="incomplete"):
        upgrade.upgrade_database(config)
    assert (old_cluster.pgdata / "PG_VERSION").read_text().strip() == "16"


def test_versions_that_do_not_come_with_the_desk(home: Home, desk_command: Command) -> None:
    home.prepare()
    home.pgdata.mkdir()
    (home.pgdata / "PG_VERSION").write_text("14\n")
    upgrade = desk_command("upgrade-database")
    assert upgrade.returncode == 1
    assert (
        upgrade.stderr == "desk: no programs of PostgreSQL 14 come with this desk; dump it with your own.\n"
    )
