"""The folder that holds everything one desk keeps: databases, sockets, logs, pids, keys, secrets."""

import fcntl
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from desk.errors import DeskError

SOCKET_NAMES = (".s.PGSQL.5432.lock", "redis.sock", "desk.sock")
MAX_SOCKET_PATH_BYTES = 100
"""PostgreSQL refuses a socket path above 107 bytes, Redis cuts it silently; 100 leaves room for both."""

GENERATED_SECRETS = ("secret_key", "venue_admin_token", "flower_password", "demo_password")


@dataclass(frozen=True)
class Home:
    """The paths of one desk below TRADINGSITE_HOME."""

    root: Path

    @property
    def pgdata(self) -> Path:
        return self.root / "pgdata"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def run(self) -> Path:
        """The folder of the sockets, always short enough for one; may lie outside `root`."""
        return (self.root / "run").resolve()

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def control_socket(self) -> Path:
        return self.run / "desk.sock"

    @property
    def redis_socket(self) -> Path:
        return self.run / "redis.sock"

    def prepare(self) -> None:
        """Create the folders and the secrets that are missing. Safe to call twice.

        Raises DeskError when the folder cannot be created or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for folder in (self.redis, self.logs, self.pids, self.keys, self.secrets):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._prepare_run()
            for name in GENERATED_SECRETS:
                self._generate(name)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise DeskError(f"TRADINGSITE_HOME {self.root} cannot be written: {error.strerror}.") from error

    def read_secret(self, name: str) -> str:
        """Return a generated secret by its name."""
        return (self.secrets / name).read_text().strip()

    def lock(self) -> IO[str]:
        """Take the lock that only one running desk has; it is held until the file is closed.

        Raises DeskError when another desk runs in this folder.
        """
        file = (self.root / "desk.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise DeskError(f"another desk is running in {self.root}; stop it with 'make down'.") from error
        return file

    def is_locked(self) -> bool:
        """Tell whether a running desk holds the lock of this folder."""
        if not (self.root / "desk.lock").exists():
            return False
        try:
            self.lock().close()
        except DeskError:
            return True
        return False

    def _prepare_run(self) -> None:
        run = self.root / "run"
        if run.is_symlink():
            if _is_private_folder(run):
                return
            run.unlink()  # a cleaned temporary folder, or one that is not ours
        if max(len(os.fsencode(run / name)) for name in SOCKET_NAMES) <= MAX_SOCKET_PATH_BYTES:
            run.mkdir(mode=0o700, exist_ok=True)
            return
        if run.is_dir():
            run.rmdir()
        run.symlink_to(_short_folder())

    def _generate(self, name: str) -> None:
        path = self.secrets / name
        if path.exists() and path.stat().st_size:
            return
        write_private(path, secrets.token_urlsafe(48 if name == "secret_key" else 18))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    path.touch(mode=0o600)
    path.write_text(text)


def _is_private_folder(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    # As root, PostgreSQL may run as another user who then owns the folder.
    ours = status.st_uid == os.geteuid() or os.geteuid() == 0
    return stat.S_ISDIR(status.st_mode) and ours and stat.S_IMODE(status.st_mode) == 0o700


def _short_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        if len(parent) < 50 and os.access(parent, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="desk-", dir=parent))
    raise DeskError(
        "the path of TRADINGSITE_HOME is too long for sockets and no short temporary folder exists."
    )
