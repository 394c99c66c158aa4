"""Faults of processes: killed, or stopped for a while."""

import random
import signal
from typing import TYPE_CHECKING

from tests.chaos.arming import Hold
from tests.chaos.processes import Process
from tests.chaos.settings import LEASE_TTL_SECONDS

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

ROLES = (
    "web",
    "fleet",
    "fleet2",
    "forkserver",
    "worker",
    "sweeps",
    "beat",
    "beat2",
    "venue",
    "postgres",
    "redis",
)
KINDS = (
    *(f"{verb}:{role}" for verb in ("kill", "stop") for role in ROLES),
    *("term:fleet", "term:fleet2", "sleep:worker", "wedge:worker"),
)

STOP_SECONDS = (0.5, 6.0)
SLEEP_SECONDS = (LEASE_TTL_SECONDS + 1.5, LEASE_TTL_SECONDS + 4.5)
WEDGE_SECONDS = 9.0
BUSY_SHARE = 0.85
"""How often a strike at a worker is at one that has a trader, while there is one."""


def choose_hold(rng: random.Random, *, sleep: bool | None = None) -> Hold:
    """Draw how long to stop somebody; one that sleeps does so past its lease, with nobody to renew it."""
    if rng.random() < 0.4 if sleep is None else sleep:
        return Hold(round(rng.uniform(*SLEEP_SECONDS), 2), unsupervised=True)
    return Hold(round(rng.uniform(*STOP_SECONDS), 2))


def kill(stage: "Stage", rng: random.Random, role: str) -> str:
    """Kill one process of a role with SIGKILL."""
    process = choose(stage, rng, role)
    if process is None or not process.send(signal.SIGKILL):
        return f"skipped: no {role} runs"
    return f"killed {process.label} (pid {process.pid})"


def stop(stage: "Stage", rng: random.Random, role: str) -> str:
    """Stop one process of a role for a while; a worker now and then past its lease."""
    return _hold(
        stage, choose(stage, rng, role), role, choose_hold(rng, sleep=None if role == "worker" else False)
    )


def sleep(stage: "Stage", rng: random.Random, role: str) -> str:
    """Stop a worker past its lease, its fleet killed, so that it wakes in a world that has gone on."""
    return _hold(stage, choose(stage, rng, role), role, choose_hold(rng, sleep=True))


def wedge(stage: "Stage", rng: random.Random, role: str) -> str:
    """Stop a worker for so long that its fleet takes it for wedged."""
    return _hold(stage, choose(stage, rng, role), role, Hold(WEDGE_SECONDS))


def term(stage: "Stage", rng: random.Random, role: str) -> str:
    """End one process of a role in good order; it is started again."""
    process = choose(stage, rng, role)
    if process is None or not process.send(signal.SIGTERM):
        return f"skipped: no {role} runs"
    return f"ended {process.label} (pid {process.pid})"


def choose(stage: "Stage", rng: random.Random, role: str) -> Process | None:
    """Draw one living process of a role; None where there is none."""
    found = [process for process in stage.processes() if process.role == role]
    busy = [process for process in found if not process.label.endswith(":pool")]
    if rng.random() < BUSY_SHARE:
        found = busy or found
    place = rng.random()  # drawn in any case: what follows is the same whoever lives
    return found[int(place * len(found))] if found else None


def _hold(stage: "Stage", process: Process | None, role: str, hold: Hold) -> str:
    if process is None:
        return f"skipped: no {role} runs"
    stage.hold(process, hold)
    alone = ", its fleet killed" if hold.unsupervised else ""
    return f"stopped {process.label} (pid {process.pid}) for {hold.seconds:g} s{alone}"


STRIKES = {"kill": kill, "term": term, "stop": stop, "sleep": sleep, "wedge": wedge}
