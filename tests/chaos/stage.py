"""The stage of a chaos run: a whole desk in haste, a second fleet and beat, and proxies between everything."""

import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis

from desk.config import CHECKOUT
from desk.errors import DeskError
from desk.home import Home
from desk.testing import Desk, free_ports, running_desk
from tests.chaos import settings
from tests.chaos.arming import Arming, Hit, Hold
from tests.chaos.processes import Process, components, continue_all, forked
from tests.chaos.proxy import Proxy
from tests.chaos.reversals import Reversals
from tests.flows.floor import Floor
from tests.flows.helpers import Trader

COMPONENTS = ("postgres", "redis", "venue", "web", "fleet", "sweeps", "beat")
ANNEX = ("fleet", "beat")
HEAL_SECONDS = 90.0


@dataclass
class Stage:
    """Everything that a fault can strike, and the way back."""

    desk: Desk
    annex: Desk
    """A second desk on the same stores: its `fleet` and `beat` are this stage's `fleet2` and `beat2`."""
    floor: Floor
    failpoints: Path
    proxies: dict[str, Proxy]
    traders: list[Trader] = field(default_factory=list)
    class_c: set[int] = field(default_factory=set)
    """User ids of the traders whose broker takes a client order id twice."""
    on_wake: Callable[[int], None] | None = None
    """Called with a user id right before a worker of theirs that slept is continued."""
    reversals: Reversals = field(default_factory=Reversals)
    _users: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.arming = Arming(self.failpoints, self._stopped_at)

    # --- who is there ---

    def processes(self) -> list[Process]:
        """Return every living process of both desks, by label and pid."""
        users = self._workers_users()
        return sorted(
            [
                *components(self.desk.home, COMPONENTS),
                *components(self.annex.home, ANNEX, "2"),
                *forked(self.desk.home.root, users),
                *forked(self.annex.home.root, users),
            ],
            key=lambda process: (process.label, process.pid),
        )

    def owner(self, name: str) -> tuple[Desk, str]:
        """Return the desk that keeps a component, and its name there."""
        return (self.annex, name[:-1]) if name.endswith("2") else (self.desk, name)

    def _workers_users(self) -> dict[int, int]:
        """Return whom each worker's pid serves, as of the last time that PostgreSQL answered."""
        with contextlib.suppress(psycopg.Error):
            rows = self.query("SELECT pid, user_id FROM orders_workerlease ORDER BY expires_at")
            self._users = dict(rows)
        return self._users

    # --- straight to the stores, past the proxies ---

    def query(self, query: str, *values: Any, database: str = "tradingsite") -> list[tuple[Any, ...]]:
        """Ask PostgreSQL as its superuser, for two seconds at most; raises psycopg.Error."""
        with psycopg.connect(
            self.desk.conninfo(database=database),
            autocommit=True,
            connect_timeout=2,
            options="-c statement_timeout=2000",
        ) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def redis(self) -> "redis.Redis":
        """Return a client of the desk's Redis that waits a second at most."""
        return redis.Redis(
            unix_socket_path=str(self.desk.home.redis_socket), socket_timeout=1, socket_connect_timeout=1
        )

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the venue's control endpoints, for two seconds at most; raises httpx.HTTPError."""
        token = self.desk.home.read_secret("venue_admin_token")
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(
            method, self.desk.venue_url + path, json=body, headers=headers, timeout=2, trust_env=False
        )
        return answer.raise_for_status().json()

    # --- standing still and waking ---

    def hold(self, process: Process, hold: Hold) -> None:
        """Stop a process and continue it after the hold."""
        if process.send(signal.SIGSTOP):
            self._wake_later(process, hold)

    def _stopped_at(self, hit: Hit, hold: Hold) -> None:
        user = self._workers_users().get(hit.pid)
        label = "stopped" if user is None else f"worker:{user}"
        self._wake_later(Process(label, hit.pid), hold)

    def _wake_later(self, process: Process, hold: Hold) -> None:
        fleet = process.session
        if hold.unsupervised and fleet not in (None, process.pid):
            Process("fleet", fleet).send(
                signal.SIGKILL
            )  # nobody renews the sleeper's lease or kills it as wedged
        self.reversals.after(hold.seconds, lambda: self._wake(process))

    def _wake(self, process: Process) -> None:
        user = process.label.removeprefix("worker:")
        if self.on_wake is not None and user.isdecimal() and not self.reversals.in_a_hurry:
            self.on_wake(int(user))
        process.send(signal.SIGCONT)

    # --- the way back ---

    def heal(self) -> None:
        """Take every fault back and see both desks ready; raises DeskError when they do not come back in 90 s."""
        self.arming.disarm()
        self.reversals.finish()
        for proxy in self.proxies.values():
            proxy.heal()
        deadline = time.monotonic() + HEAL_SECONDS
        while reason := self._ailment():
            if time.monotonic() > deadline:
                raise DeskError(f"the stage does not heal: {reason}")
            time.sleep(0.2)

    def _ailment(self) -> str:
        """Return what is not well yet, '' when everything is; does what helps on the way."""
        for desk in (self.desk, self.annex):
            continue_all(desk.home)
        try:
            for desk in (self.desk, self.annex):
                for name, component in desk.status()["components"].items():
                    if component["state"] == "stopped":
                        desk.start(name)
                    elif component["state"] != "ready":
                        return f"{name} is {component['state']}"
            self._pardon()
            answer = httpx.get(self.desk.url + "/readyz", timeout=5, trust_env=False)
            return "" if answer.is_success else f"/readyz says {answer.text}"
        except (DeskError, psycopg.Error, redis.RedisError, httpx.HTTPError) as error:
            return f"{type(error).__name__}: {error}"

    def _pardon(self) -> None:
        """Take back what the stores and the venue were told."""
        with self.redis() as client:
            client.execute_command("CLIENT", "UNPAUSE")
        self.query("ALTER SYSTEM RESET ALL")
        self.query("SELECT pg_reload_conf()")
        self.control("DELETE", "/control/faults")


@contextlib.contextmanager
def open_stage(
    *,
    seed: int,
    checkout: Path | None = None,
    home: Path | None = None,
    like: Path | None = None,
    traders: int = 10,
) -> Iterator[Stage]:
    """Run a stage with so many traders, every second of class C; leaves no process behind.

    `checkout` is the folder whose code runs. `home` is kept when it is given; its `annex` is the second desk's.
    `like` is a prepared home to begin with (desk/testing.py).
    """
    code = checkout or CHECKOUT
    root = home or Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        with contextlib.ExitStack() as stack:
            stage = _set_up(stack, root, code, seed, like)
            _hire(stage, traders)
            yield stage
    finally:
        if home is None:
            shutil.rmtree(root, ignore_errors=True)


def _set_up(stack: contextlib.ExitStack, root: Path, code: Path, seed: int, like: Path | None) -> Stage:
    place = Home(root)
    place.prepare()
    points = root / "failpoints"
    points.mkdir(exist_ok=True)
    (venue_port,) = free_ports(1)
    targets: dict[str, int | Path] = {
        "venue": venue_port,
        "redis": place.redis_socket,
        "postgres": place.run / ".s.PGSQL.5432",
    }
    proxies = {name: stack.enter_context(Proxy(name, target)) for name, target in targets.items()}
    proxied = settings.through_proxies(place.secrets, **{name: proxy.port for name, proxy in proxies.items()})
    common = settings.HASTE | {"FAILPOINTS": str(points)}
    env = common | proxied | {"VENUE_PORT": str(venue_port), "VENUE_SEED": str(seed)}
    desk = stack.enter_context(running_desk(root, COMPONENTS, env, like=like, checkout=code))
    elsewhere = common | settings.of_the_annex(place, proxied)
    annex = stack.enter_context(running_desk(root / "annex", ANNEX, elsewhere, prepare=False, checkout=code))
    for name in ("FAILPOINTS", *proxied):
        desk.environment.pop(name)  # the commands of the proof itself are struck by nothing
    floor = Floor(desk)
    stack.callback(floor.close)
    stage = Stage(desk, annex, floor, points, proxies)
    for each in (desk, annex):
        stack.callback(continue_all, each.home)  # a stopped process cannot be ended in good order
    stack.enter_context(stage.arming)
    stack.callback(stage.reversals.finish)
    stack.callback(stage.arming.disarm)
    return stage


def _hire(stage: Stage, count: int) -> None:
    ordinary = stage.floor._create(count - count // 2)
    loose = stage.floor._create(count // 2, "--idempotency-class", "C") if count > 1 else []
    pairs = [trader for pair in zip(ordinary, loose, strict=False) for trader in pair]
    stage.traders = [*pairs, *ordinary[len(loose) :]]
    stage.class_c = {trader.user_id for trader in loose}
    # Half of each class get a profit target beside their stop: the two are one order of two at the exchange.
    swing = [trader.user_id for number, trader in enumerate(stage.traders) if number % 4 < 2]
    stage.query(
        "UPDATE orders_strategy SET trade_style = 'SWING' WHERE user_id = ANY(%s) RETURNING id", swing
    )
