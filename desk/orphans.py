"""Finds and ends what a killed supervisor left behind, for one home only and never by name."""

import signal

from desk.config import STOP_ORDER
from desk.home import Home
from desk.processes import Identity, end, inside, marked

PATIENCE_SECONDS = {"fleet": 60.0, "postgres": 30.0}
STOP_SIGNALS = {"postgres": signal.SIGINT}


def find_orphans(home: Home) -> list[Identity]:
    """Return every living component process of this home: by pid file, by mark, by the data it holds."""
    found = {identity.pid: identity for identity in marked(home.root)}
    for path in home.pids.glob("*.json"):
        if path.stem != "desk" and (identity := Identity.read(path)):
            found[identity.pid] = identity
    for folder, program in ((home.pgdata, "postgres"), (home.redis, "redis-server")):
        for identity in inside(folder.resolve(), program):
            found[identity.pid] = identity
    return list(found.values())


def end_orphans(home: Home) -> int:
    """End what is left of this home's components, gently and in order; return how many there were."""
    orphans = find_orphans(home)
    if not orphans:
        return 0
    for name in STOP_ORDER:
        path = home.pids / f"{name}.json"
        if identity := Identity.read(path):
            end([identity], STOP_SIGNALS.get(name, signal.SIGTERM), PATIENCE_SECONDS.get(name, 10.0))
        path.unlink(missing_ok=True)
    end(find_orphans(home), signal.SIGTERM, 10.0)
    return len(orphans)
