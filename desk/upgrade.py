"""Brings the data folder of an older PostgreSQL to the one that this desk runs, by dump and restore.

The old folder is kept beside the new one: nothing is deleted before an operator does it.
"""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from desk.components import environment_of
from desk.config import Config
from desk.errors import DeskError
from desk.postgres import MAJOR, WHEEL_FOLDERS, Postgres, server_account
from desk.processes import Children, Identity, end

START_SECONDS = 60.0


def upgrade_database(config: Config) -> None:
    """Dump the old cluster with the new programs, restore it into a new one, swap the folders.

    The desk must be down. Raises DeskError when it runs, when there is nothing to do, when the wheel has no
    programs of the old version, and when a step fails; the old folder is then untouched in its place.
    """
    home = config.home
    home.prepare()
    with home.lock():
        version_file = home.pgdata / "PG_VERSION"
        found = int(version_file.read_text()) if version_file.exists() else MAJOR
        if found == MAJOR:
            raise DeskError(f"there is nothing to upgrade: {home.pgdata} is new or of PostgreSQL {MAJOR}.")
        if found not in WHEEL_FOLDERS:
            raise DeskError(f"no programs of PostgreSQL {found} come with this desk; dump it with your own.")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        dump = home.root / f"upgrade-from-{found}-{stamp}.sql"
        kept = home.pgdata.with_name(f"pgdata-{found}-{stamp}")
        print(f"Dumping PostgreSQL {found} to {dump}.")
        dump.touch(mode=0o600)
        with _Running(config, Postgres(home, found)) as old:
            _call([Postgres(home).binary("pg_dumpall"), "-d", old.conninfo(), "-f", str(dump)])
        home.pgdata.rename(kept)
        try:
            print(f"Restoring into PostgreSQL {MAJOR}.")
            with _Running(config, Postgres(home)) as new:
                _call([new.binary("psql"), "-X", "-q", "-d", new.conninfo(), "-f", str(dump)])
                new.create_roles()
                _require_same_databases(dump, new)
                _call(
                    [
                        new.binary("vacuumdb"),
                        "--all",
                        "--analyze-only",
                        "-q",
                        "-h",
                        str(home.run),
                        "-U",
                        "postgres",
                    ]
                )
        except DeskError:
            if home.pgdata.exists():
                home.pgdata.rename(home.pgdata.with_name(f"pgdata-failed-{stamp}"))
            kept.rename(home.pgdata)
            raise
        print(f"Done. The old data stays in {kept}, the dump in {dump}; delete both when the desk runs well.")


class _Running:
    """A server that runs while the context lasts."""

    def __init__(self, config: Config, postgres: Postgres) -> None:
        self._config = config
        self._postgres = postgres
        self._children = Children()

    def __enter__(self) -> Postgres:
        self._postgres.prepare()
        self._child = self._children.spawn(
            self._postgres.command(),
            environment=environment_of(self._config, "postgres"),
            cwd=Path("/"),
            log=self._config.home.logs / "upgrade.log",
            account=server_account(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._postgres.is_ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise DeskError(f"PostgreSQL {self._postgres.major} did not start; see logs/upgrade.log.")
            time.sleep(0.05)
        return self._postgres

    def __exit__(self, *_: object) -> None:
        if identity := Identity.of(self._child.pid):
            end([identity], 2, 60.0)
        self._children.wait(self._child)


def _call(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        raise DeskError(f"{Path(command[0]).name} failed: {lines[-1] if lines else result.returncode}")


def _require_same_databases(dump: Path, new: Postgres) -> None:
    """Refuse a restore in which a table of the dump is missing."""
    wanted: dict[str, int] = {}
    database = "postgres"
    with dump.open(errors="replace") as lines:
        for line in lines:
            if line.startswith("\\connect "):
                database = line.split()[1].strip('"')
            elif line.startswith("CREATE TABLE "):
                wanted[database] = wanted.get(database, 0) + 1
    for name, count in wanted.items():
        with psycopg.connect(new.conninfo(database=name)) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchone()
        if row is None or row[0] < count:
            raise DeskError(f"the restore is incomplete: {name} should have {count} tables.")
