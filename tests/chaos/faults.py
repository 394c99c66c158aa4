"""Every kind of fault that a chaos run can inject, and the one door to them.

| family | what happens |
|---|---|
| ``kill:…``, ``term:fleet…`` | a process gets SIGKILL; a fleet SIGTERM |
| ``stop:…`` | a process stands still for 0.5 to 6 s |
| ``sleep:worker``, ``wedge:worker`` | one stands still past its lease, its fleet killed; for long, its fleet watching |
| ``redis:…``, ``postgres:…`` | clients and sessions are cut, servers paused, wiped, restarted |
| ``venue:…`` | the venue loses answers, is late, refuses, stutters |
| ``proxy:<venue,redis,postgres>:…`` | the network between |
| ``failpoint:<name>:<kill,stop>`` | whoever next passes that point dies or stands still there |
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import psycopg
import redis

from failpoints.catalog import POINTS
from tests.chaos import process_faults, store_faults, venue_faults

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

NETWORKS = ("venue", "redis", "postgres")
NETWORK_MODES = ("latency", "reset", "black_hole", "half_close", "drop_response", "late")
REQUESTS = {
    "venue": (
        b"POST /v2/orders",
        b"POST /v2/orders",
        b"DELETE /v2/orders",
        b"PATCH /v2/orders",
        b"GET /v2/orders",
    ),
    "redis": (b"LPUSH", b"XADD", b""),
    "postgres": (b"COMMIT", b"COMMIT", b""),
}
"""Whose answer is dropped: of a request with these bytes."""

PROVOCATIONS = {
    "reap.": "kill:worker",
    "wedged.": "wedge:worker",
    "disowned.": "sleep:worker",
    "lease.before_retake": "proxy:postgres:black_hole",
    "lease.after_retake": "proxy:postgres:black_hole",
    "lease.before_release": "kill:fleet",
    "lease.after_release": "kill:fleet",
    "stop.": "term:fleet2",
    "send.duplicate": "venue:drop_response",
    "unknown.": "venue:drop_response",
    "lookup.": "venue:drop_response",
    "undo.": "venue:rate_limit",
    "gap.": "venue:stream_disconnect",
    "fills.": "venue:stream_silence",
    "check.": "venue:stream_silence",
    "orphan.lease.": "sleep:worker",
    "attention.": "wedge:worker",
}
"""What brings somebody past a point that nobody passes while all is well, by how its name begins."""

PROXY_KINDS = tuple(f"proxy:{network}:{mode}" for network in NETWORKS for mode in NETWORK_MODES)
FAILPOINT_KINDS = tuple(f"failpoint:{name}:{action}" for name in POINTS for action in ("kill", "stop"))
KINDS = (
    *process_faults.KINDS,
    *store_faults.KINDS,
    *venue_faults.KINDS,
    *PROXY_KINDS,
    *FAILPOINT_KINDS,
)


def inject(stage: "Stage", rng: random.Random, kind: str) -> str:
    """Inject one fault and return in one line what was done; it is taken back in time by itself.

    Everything is drawn from `rng`. Begins with `skipped:` where there was nothing to strike. Raises KeyError for a
    kind that does not exist.
    """
    try:
        return _strike_of(kind)(stage, rng)
    except (OSError, httpx.HTTPError, redis.RedisError, psycopg.Error) as error:
        return f"skipped: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _strike_of(kind: str) -> Callable[["Stage", random.Random], str]:
    family, _, rest = kind.partition(":")
    if kind not in KINDS:
        raise KeyError(kind)
    if family in process_faults.STRIKES:
        return lambda stage, rng: process_faults.STRIKES[family](stage, rng, rest)
    if kind in store_faults.STRIKES:
        return store_faults.STRIKES[kind]
    if family == "venue":
        return lambda stage, rng: venue_faults.strike(stage, rng, rest)
    strike = _network if family == "proxy" else _failpoint
    return lambda stage, rng: strike(stage, rng, rest)


def _network(stage: "Stage", rng: random.Random, rest: str) -> str:
    name, _, mode = rest.partition(":")
    proxy = stage.proxies[name]
    hold, much, towards = rng.uniform(0.5, 5.0), rng.uniform(0.05, 0.5), rng.random() < 0.5
    if mode == "reset":
        count = proxy.connections
        proxy.reset()
        return f"reset {count} connections to {name}"
    if mode == "half_close":
        proxy.half_close(to_server=towards)
        return f"shut {proxy.connections} connections towards {name if towards else 'its clients'}"
    stage.reversals.after(hold, proxy.heal)
    if mode == "latency":
        proxy.latency(much)
        return f"{much * 1000:.0f} ms more each way to {name}, for {hold:.1f} s"
    if mode == "late":
        proxy.late(late := rng.uniform(1.0, 6.0))
        return f"what goes to {name} arrives {late:.1f} s late, for {hold:.1f} s"
    if mode == "drop_response":
        request = rng.choice(REQUESTS[name])
        proxy.drop_response(request)
        return f"the answer to the next {request.decode() or 'request'} to {name} is lost"
    proxy.black_hole()
    return f"nothing passes to {name}, for {hold:.1f} s"


def _failpoint(stage: "Stage", rng: random.Random, rest: str) -> str:
    name, _, action = rest.rpartition(":")
    hold = process_faults.choose_hold(rng)
    stage.arming.arm(name, action, hold)
    provocation = next((kind for start, kind in PROVOCATIONS.items() if name.startswith(start)), "")
    provoked = f"; {inject(stage, rng, provocation)}" if provocation else ""
    if action == "kill":
        return f"armed {name}: kill{provoked}"
    alone = " without a fleet" if hold.unsupervised else ""
    return f"armed {name}: stop for {hold.seconds:g} s{alone}{provoked}"
