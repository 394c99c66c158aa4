"""What each component is: its command, its environment, how to know it is ready, how it stops."""

import http.client
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from desk.config import CHECKOUT, MARKER, Config
from desk.postgres import Postgres, server_account
from desk.redis_server import RedisServer


def _nothing() -> None:
    return None


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Component:
    """One process that the supervisor keeps alive."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    cwd: Path = CHECKOUT
    account: tuple[int, int] | None = None
    """User and group id to run as; None: the runner's own."""
    stop_signal: int = signal.SIGTERM
    patience_seconds: float = 10.0
    """How long a stop may take before the session is killed."""
    prepare: Callable[[], None] = field(default=_nothing)
    """Called before every start."""
    is_ready: Callable[[], bool] = field(default=_always)


OPENS = {"web": "webhook", "fleet": "broker,webhook"}
"""Which vault keys a process may open; the others open none."""

WITHHELD = {
    "web": ("OWNER_DATABASE_URL", "VENUE_DATABASE_URL", "VENUE_DATABASE_URL_FILE", "OWNER_DATABASE_URL_FILE"),
    "venue": ("DATABASE_URL", "DATABASE_URL_FILE", "OWNER_DATABASE_URL", "OWNER_DATABASE_URL_FILE"),
}
"""Settings of other processes that a process must not see."""


def environment_of(config: Config, name: str) -> dict[str, str]:
    """Return the environment of a component, or of a preparing command such as `migrate`."""
    withheld = WITHHELD.get(name, ())
    environment = {key: value for key, value in config.environment.items() if key not in withheld}
    environment |= {
        MARKER: str(config.home.root),
        "TRADINGSITE_HOME": str(config.home.root),
        "PORT": str(config.port),
        "VENUE_PORT": str(config.venue_port),
        "FLOWER_PORT": str(config.flower_port),
        "VAULT_OPEN_PURPOSES": OPENS.get(name, ""),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
        "PATH": f"{Path(sys.executable).parent}:{environment.get('PATH', '/usr/bin:/bin')}",
    }
    environment.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    if name == "web":
        _default(environment, "DATABASE_KEEP_CONNECTIONS", "0")
    if name in ("venue", "prepare"):
        _default(environment, "VENUE_DATABASE_URL", f"host={config.home.run} user=venue dbname=venue")
        _default(environment, "VENUE_ADMIN_TOKEN_FILE", str(config.home.secrets / "venue_admin_token"))
    return environment


def _default(environment: dict[str, str], name: str, value: str) -> None:
    """Set what the operator set neither itself nor, for a secret, as the path of its file."""
    plain = name.removesuffix("_FILE")
    if not environment.get(plain) and not environment.get(f"{plain}_FILE"):
        environment[name] = value


def build(config: Config, name: str) -> Component:
    """Describe the component called `name`."""
    return _BUILDERS[name](config)


def _postgres(config: Config) -> Component:
    postgres = Postgres(config.home)
    return Component(
        name="postgres",
        command=postgres.command(),
        environment=environment_of(config, "postgres"),
        cwd=Path("/"),
        account=server_account(),
        stop_signal=signal.SIGINT,  # fast: ends the sessions, writes a checkpoint
        patience_seconds=30.0,
        prepare=postgres.prepare,
        is_ready=postgres.is_ready,
    )


def _redis(config: Config) -> Component:
    redis = RedisServer(config.home)
    return Component(
        name="redis",
        command=redis.command(),
        environment=environment_of(config, "redis"),
        cwd=config.home.redis,
        is_ready=redis.is_ready,
    )


def _venue(config: Config) -> Component:
    command = _uvicorn("venue.asgi:application", config.venue_port)
    return Component(
        name="venue",
        command=command,
        environment=environment_of(config, "venue"),
        is_ready=lambda: answers(config.venue_port, "/healthz"),
    )


def _web(config: Config) -> Component:
    command = _uvicorn("tradingsite.asgi:application", config.port)
    return Component(
        name="web",
        command=command,
        environment=environment_of(config, "web"),
        patience_seconds=15.0,
        is_ready=lambda: answers(config.port, "/healthz"),
    )


def _fleet(config: Config) -> Component:
    return Component(
        name="fleet",
        command=[sys.executable, "manage.py", "fleet"],
        environment=environment_of(config, "fleet"),
        patience_seconds=60.0,  # a running order is finished first
    )


def _sweeps(config: Config) -> Component:
    options = ["-Q", "sweeps", "--pool", "solo", "-n", "sweeps@%h", "--without-gossip", "--without-mingle"]
    return Component(
        name="sweeps",
        command=[*_celery(), "worker", *options],
        environment=environment_of(config, "sweeps"),
        patience_seconds=20.0,
    )


def _beat(config: Config) -> Component:
    scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
    options = ["--scheduler", scheduler, "--pidfile="]
    return Component(
        name="beat",
        command=[*_celery(), "beat", *options],
        environment=environment_of(config, "beat"),
    )


def _flower(config: Config) -> Component:
    environment = environment_of(config, "flower")
    environment["FLOWER_PASSWORD_FILE"] = str(config.home.secrets / "flower_password")
    return Component(
        name="flower",
        command=[*_celery(), "flower", f"--conf={CHECKOUT / 'deploy' / 'flowerconfig.py'}"],
        environment=environment,
        is_ready=lambda: answers(config.flower_port, "/healthcheck"),
    )


_BUILDERS: dict[str, Callable[[Config], Component]] = {
    "postgres": _postgres,
    "redis": _redis,
    "venue": _venue,
    "web": _web,
    "fleet": _fleet,
    "sweeps": _sweeps,
    "beat": _beat,
    "flower": _flower,
}


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "tradingsite"]


def _uvicorn(application: str, port: int) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    options += ["--no-access-log", "--workers", "1", "--timeout-graceful-shutdown", "8"]
    return [sys.executable, "-m", "uvicorn", application, *options]


def answers(port: int, path: str) -> bool:
    """Tell whether GET `path` on a local port is answered with 200 within 3 seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
