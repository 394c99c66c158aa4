"""What every test stands on: an embedded PostgreSQL and Redis of the session's own, never the operator's.

The environment is set when this file is imported, before Django reads its settings; the servers start with
the session. TEST_POSTGRES is the superuser's connection string of that PostgreSQL.

Where there is memory enough, whatever is temporary lies in it: clusters are made and thrown away by the dozen, and
each commit would wait for the disk. No test cuts the power; what processes have written outlives them there, too.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import pytest_django
from psycopg import sql
from psycopg.conninfo import make_conninfo

from desk.config import scratch_environment
from desk.home import Home
from desk.testing import prepare_home, running_desk
from tests.sharing import (
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_xdist_auto_num_workers",
    "pytest_xdist_make_scheduler",
]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}
"""What migrations filled and every test relies on."""

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 6 * 2**30
"""Of both memory and its file system; a run of everything takes 2 at most."""


def _temporary_folder() -> str:
    """Return the file system in memory where it is roomy and lets programs run, else what the system says."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
        free = min(psutil.virtual_memory().available, shutil.disk_usage(MEMORY).free)
        if free > ENOUGH_BYTES and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
            return str(MEMORY)
    return tempfile.gettempdir()


os.environ["TMPDIR"] = tempfile.tempdir = _temporary_folder()
_ROOT = Path(tempfile.mkdtemp(prefix="ts-"))
atexit.register(shutil.rmtree, _ROOT, ignore_errors=True)
Home(_ROOT).prepare()
for _name in set(os.environ) - set(scratch_environment(_ROOT)):
    del os.environ[_name]
os.environ["TRADINGSITE_HOME"] = str(_ROOT)
os.environ["TEST_POSTGRES"] = f"host={Home(_ROOT).run} user=postgres dbname=postgres"
os.environ["VAULT_OPEN_PURPOSES"] = "broker,webhook"
os.environ["DJANGO_SETTINGS_MODULE"] = "tradingsite.settings"


def pytest_configure(config: pytest.Config) -> None:
    import django
    from django.test import TransactionTestCase

    django.setup()
    TransactionTestCase._fixture_teardown = _empty_tables
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(TellsAtOnce(config))


class TellsAtOnce:
    """Names what fails when it fails: a run of everything takes minutes, and may be ended before its summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter is not None:
            reporter.write_line(f"\n{report.when} failed: {report.nodeid}")


def pytest_xdist_setupnodes() -> None:
    """Hand down no settings: pytest-django would read them before a process has its own home."""
    os.environ.pop("DJANGO_SETTINGS_MODULE")


@pytest.fixture(scope="session", autouse=True)
def postgres_cluster() -> Iterator[str]:
    """Run the session's PostgreSQL and Redis; the value is the superuser's connection string."""
    with running_desk(_ROOT, ("postgres", "redis"), prepare=False):
        yield os.environ["TEST_POSTGRES"]


@pytest.fixture(scope="session")
def prepared_home() -> Iterator[Path]:
    """Prepare the folder that every desk of this session begins with; nothing runs in it."""
    with tempfile.TemporaryDirectory(prefix="prepared-") as folder:
        prepare_home(Path(folder))
        yield Path(folder)


@pytest.fixture(scope="session")
def django_db_setup(postgres_cluster: str, django_db_blocker: pytest_django.DjangoDbBlocker) -> None:
    """Make the test database as its owner; tests use it as the runtime role, through the mirror `default`."""
    from django.test.utils import setup_databases

    with django_db_blocker.unblock():
        setup_databases(verbosity=0, interactive=False, aliases=["default", "owner"])


@pytest.fixture(autouse=True)
def forgotten_hours() -> Iterator[None]:
    """Keep no market's hours from one test to the next: a process reads them every half minute only."""
    yield
    from orders.hours import forget_hours

    forget_hours()


@pytest.fixture(autouse=True)
def forgotten_instruments() -> Iterator[None]:
    """Keep no instrument from one test to the next: a process reads one every minute only."""
    yield
    from orders.services.instruments import forget_instruments

    forget_instruments()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the system's Chromium; a machine without one fails, it does not skip."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(
            "No Chromium here, so the page tests cannot run. Install it: 'apt-get install chromium' "
            "on Debian, 'snap install chromium' on Ubuntu, 'brew install --cask chromium' on macOS.",
            pytrace=False,
        )
    return found


def _empty_tables(self: object) -> None:
    """Empty the tables after a transactional test, as the superuser and past every trigger.

    Django would flush as the runtime role, which may not TRUNCATE, and the append-only tables refuse it
    to the owner too: both by design.
    """
    from django.db import connections

    database = connections["owner"].settings_dict["NAME"]
    conninfo = make_conninfo(os.environ["TEST_POSTGRES"], dbname=database)
    with psycopg.connect(
        conninfo, options="-c lock_timeout=10s -c session_replication_role=replica"
    ) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = [sql.Identifier(name) for (name,) in rows if name not in KEPT_TABLES]
        connection.execute(sql.SQL("LOCK TABLE {}").format(sql.SQL(", ").join(tables)))
        for table in _filled(connection, tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(table))


def _filled(connection: psycopg.Connection, tables: list[sql.Identifier]) -> list[sql.Identifier]:
    """Return the tables that have rows: to empty those takes a fraction of what it takes to truncate all."""
    each = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(number, table)
        for number, table in enumerate(tables)
    ]
    return [tables[number] for (number,) in connection.execute(sql.SQL(" UNION ALL ").join(each))]
