"""Faults of the venue, ordered from its control endpoint: rules that strike a few times and end after a while."""

import contextlib
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from tests.chaos.settings import BROKER_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

Rule = dict[str, Any]
REQUESTS = (
    ("POST", "/v2/orders"),
    ("POST", "/v2/orders"),
    ("DELETE", "/v2/orders/*"),
    ("PATCH", "/v2/orders/*"),
    ("GET", "/v2/orders*"),
)
"""What a rule may be about; new orders twice as often as anything else."""


def _delay(rng: random.Random) -> Rule:
    kind = rng.choice(("delay_ms", "delay_after_ms"))
    return {"kind": kind, "ms": round(1000 * (BROKER_TIMEOUT_SECONDS + rng.uniform(0.3, 2.0)))}


def _partial_fills(rng: random.Random) -> Rule:
    fills = [{"fraction": 0.3, "delay_ms": rng.randint(0, 300)} for _ in range(rng.randint(1, 3))]
    return {"kind": "fill_plan", "fills": fills, "then": rng.choice(("fill", "fill", "cancel"))}


def _status(rng: random.Random) -> int:
    return rng.choice((500, 502, 503, 504))


FAULTS: dict[str, Callable[[random.Random], Rule]] = {
    "drop_response": lambda rng: {"kind": "drop_response_after_accepting"},
    "drop_before": lambda rng: {"kind": "drop_before_accepting"},
    "delay": _delay,
    "error_before": lambda rng: {"kind": "error_before", "status": _status(rng)},
    "error_after": lambda rng: {"kind": "error_after", "status": _status(rng)},
    "rate_limit": lambda rng: {"kind": "rate_limit", "retry_after": rng.choice((1, 2))},
    "stream_duplicate": lambda rng: {"kind": "stream_duplicate"},
    "stream_out_of_order": lambda rng: {"kind": "stream_out_of_order"},
    "stream_silence": lambda rng: {"kind": "stream_silence"},
    "partial_fills": _partial_fills,
}
KINDS = tuple(f"venue:{name}" for name in (*FAULTS, "stream_disconnect"))


def strike(stage: "Stage", rng: random.Random, name: str) -> str:
    """Order one fault; it strikes one to five times, or as a stream's for a while, and ends after 2 to 8 seconds."""
    if name == "stream_disconnect":
        cut = stage.control("POST", "/control/streams/disconnect", {})["disconnected"]
        return f"cut {cut} streams of the venue"
    fault = FAULTS[name](rng)
    rule: Rule = {"match": {}, "fault": fault}
    said = name
    if not name.startswith("stream") and name != "partial_fills":
        method, path = rng.choice(REQUESTS)
        rule["match"] = {"method": method, "path": path}
        said = f"{name} of {method} {path}"
    if rng.random() < 0.3:
        rule["match"]["account_id"] = rng.choice(stage.traders).venue_account
    if not name.startswith("stream"):
        rule["count"] = rng.randint(1, 5)
    seconds = rng.uniform(2.0, 8.0)
    rule_id = stage.control("POST", "/control/faults", rule)["id"]
    stage.reversals.after(seconds, lambda: _end(stage, rule_id))
    return f"venue: {said}, {rule.get('count', 'all')} for at most {seconds:.1f} s"


def _end(stage: "Stage", rule_id: str) -> None:
    with contextlib.suppress(
        httpx.HTTPError
    ):  # the venue is away, and its rules with it; or healing clears them
        stage.control("DELETE", f"/control/faults/{rule_id}")
