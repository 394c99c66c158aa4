"""Faults of Redis and PostgreSQL: connections cut, servers paused, wiped, restarted."""

import contextlib
import random
import time
from typing import TYPE_CHECKING

import psycopg

from desk.errors import DeskError
from tests.chaos.process_faults import kill

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'tradingsite%%' ORDER BY pid"
COMMITTING = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename LIKE 'tradingsite%%' AND state = 'active' AND query = 'COMMIT' ORDER BY random() LIMIT 1
"""
COMMIT_DELAY_MICROSECONDS = 40_000
"""Commits are slowed so far while some are being hunted, or none would ever be met."""


def redis_client_kill(stage: "Stage", rng: random.Random) -> str:
    """Cut a random share of Redis's clients."""
    share = rng.uniform(0.2, 1.0)
    with stage.redis() as client:
        own = client.client_id()
        others = sorted(int(each["id"]) for each in client.client_list() if int(each["id"]) != own)
        chosen = [each for each in others if rng.random() < share]
        cut = sum(client.execute_command("CLIENT", "KILL", "ID", each) for each in chosen)
    return f"cut {cut} of {len(others)} clients of Redis"


def redis_client_pause(stage: "Stage", rng: random.Random) -> str:
    """Have Redis answer nobody for a while."""
    milliseconds = rng.randint(300, 4000)
    with stage.redis() as client:
        client.execute_command("CLIENT", "PAUSE", milliseconds, "ALL")
    return f"Redis answers nobody for {milliseconds} ms"


def redis_flushall(stage: "Stage", rng: random.Random) -> str:
    """Wipe Redis."""
    with stage.redis() as client:
        client.flushall()
    return "wiped Redis"


def redis_restart(stage: "Stage", rng: random.Random) -> str:
    """Restart Redis in good order."""
    return _restart(stage, "redis")


def redis_kill(stage: "Stage", rng: random.Random) -> str:
    """Kill Redis."""
    return kill(stage, rng, "redis")


def postgres_terminate(stage: "Stage", rng: random.Random) -> str:
    """End a random share of the desk's sessions in PostgreSQL."""
    share = rng.uniform(0.2, 1.0)
    backends = [pid for (pid,) in stage.query(BACKENDS)]
    chosen = [pid for pid in backends if rng.random() < share]
    stage.query("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS chosen (pid)", chosen)
    return f"ended {len(chosen)} of {len(backends)} sessions"


def postgres_terminate_in_commit(stage: "Stage", rng: random.Random) -> str:
    """End sessions while they commit: the commit is done, its session never hears of it."""
    wanted, seconds = rng.randint(1, 4), rng.uniform(1.0, 2.5)
    _slow_commits(stage, COMMIT_DELAY_MICROSECONDS)
    stage.reversals.after(0.0, lambda: _hunt(stage, wanted, seconds))
    return f"ending up to {wanted} sessions during their COMMIT, for {seconds:.1f} s"


def postgres_restart(stage: "Stage", rng: random.Random) -> str:
    """Restart PostgreSQL in good order; its sessions are ended."""
    return _restart(stage, "postgres")


def _hunt(stage: "Stage", wanted: int, seconds: float) -> None:
    """End sessions that are committing until there were enough or the time is up, then have commits be fast again."""
    end = time.monotonic() + seconds
    with contextlib.suppress(psycopg.Error):  # PostgreSQL is away, and healing resets what is left
        while wanted > 0 and time.monotonic() < end and not stage.reversals.wait(0.02):
            wanted -= len(stage.query(COMMITTING))
        _slow_commits(stage, 0)


def _slow_commits(stage: "Stage", microseconds: int) -> None:
    if microseconds:
        stage.query(f"ALTER SYSTEM SET commit_delay = {microseconds}")
        stage.query("ALTER SYSTEM SET commit_siblings = 0")
    else:
        stage.query("ALTER SYSTEM RESET ALL")
    stage.query("SELECT pg_reload_conf()")


def _restart(stage: "Stage", name: str) -> str:
    def restart() -> None:
        with contextlib.suppress(DeskError):  # killed again meanwhile: the keeper starts it
            stage.desk.restart(name)

    stage.reversals.after(0.0, restart)
    return f"restarting {name}"


STRIKES = {
    "redis:client_kill": redis_client_kill,
    "redis:client_pause": redis_client_pause,
    "redis:restart": redis_restart,
    "redis:flushall": redis_flushall,
    "redis:kill": redis_kill,
    "postgres:terminate": postgres_terminate,
    "postgres:terminate_in_commit": postgres_terminate_in_commit,
    "postgres:restart": postgres_restart,
}
KINDS = tuple(STRIKES)
