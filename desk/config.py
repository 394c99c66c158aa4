"""What the operator's environment asks of the runner."""

import errno
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from desk.errors import DeskError
from desk.home import Home

CHECKOUT = Path(__file__).resolve().parent.parent
MARKER = "TRADINGSITE_DESK"
"""The variable in every component's environment that names the home it belongs to."""

ALL = ("postgres", "redis", "venue", "web", "fleet", "sweeps", "beat", "flower")
"""Every component, in the order in which they start."""

STOP_ORDER = ("web", "beat", "sweeps", "fleet", "flower", "venue", "redis", "postgres")


@dataclass(frozen=True)
class Config:
    """One desk: its folder, its ports and the components that it runs."""

    home: Home
    environment: Mapping[str, str]
    port: int
    venue_port: int
    flower_port: int
    components: tuple[str, ...]

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, components: str = "") -> "Config":
        """Read PORT, VENUE_PORT, FLOWER_PORT, TRADINGSITE_HOME, DATABASE_URL and REDIS_URL.

        `components` is a comma-separated selection, '' for all. A database that has a URL is external:
        it is left out. Raises DeskError on a value that is not one.
        """
        env = dict(os.environ if environment is None else environment)
        root = Path(env.get("TRADINGSITE_HOME") or CHECKOUT / "var").absolute()
        return cls(
            home=Home(root),
            environment=env,
            port=_port(env, "PORT", 8000),
            venue_port=_port(env, "VENUE_PORT", 8001),
            flower_port=_port(env, "FLOWER_PORT", 5555),
            components=_selection(components, env),
        )

    @property
    def url(self) -> str:
        """The dashboard's address."""
        return self.environment.get("BASE_URL", "").rstrip("/") or self.local_url

    @property
    def local_url(self) -> str:
        """The address of the web process itself."""
        return f"http://127.0.0.1:{self.port}"

    def require_free_ports(self) -> None:
        """Raise DeskError naming the setting when a port of a selected component is taken."""
        wanted = {"web": ("PORT", self.port), "venue": ("VENUE_PORT", self.venue_port)}
        wanted["flower"] = ("FLOWER_PORT", self.flower_port)
        for component, (setting, port) in wanted.items():
            if component in self.components:
                _require_free(setting, port)


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DeskError(f"{name} is {text!r}, not a port between 1 and 65535.")
    return int(text)


def _selection(components: str, env: Mapping[str, str]) -> tuple[str, ...]:
    wanted = [name.strip() for name in components.split(",") if name.strip()] or list(ALL)
    unknown = set(wanted) - set(ALL)
    if unknown:
        raise DeskError(f"no such component: {', '.join(sorted(unknown))} (there are {', '.join(ALL)}).")
    if env.get("DATABASE_URL"):
        if "venue" in wanted and not env.get("VENUE_DATABASE_URL"):
            raise DeskError(
                "DATABASE_URL is set, so VENUE_DATABASE_URL must be set too (a database of its own)."
            )
        wanted = [name for name in wanted if name != "postgres"]
    if env.get("REDIS_URL"):
        wanted = [name for name in wanted if name != "redis"]
    return tuple(name for name in ALL if name in wanted)


def _require_free(setting: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise DeskError(f"port {port} is in use; set {setting} to a free one.") from error
            raise DeskError(
                f"port {port} cannot be used ({error.strerror}); set {setting} to another."
            ) from error


def scratch_environment(home: Path) -> dict[str, str]:
    """Return this process's environment with nothing in it that belongs to another desk."""
    foreign = {MARKER, "DATABASE_URL", "OWNER_DATABASE_URL", "VENUE_DATABASE_URL", "REDIS_URL", "VENUE_URL"}
    foreign |= {"BASE_URL", "VAULT_KEYS_DIR", "VAULT_OPEN_PURPOSES", "SECRET_KEY", "VENUE_ADMIN_TOKEN"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return kept | {"TRADINGSITE_HOME": str(home), "TMPDIR": tempfile.gettempdir()}
