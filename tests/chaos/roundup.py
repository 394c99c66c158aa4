"""The last round of a full run: whatever point the plan's faults did not bring to both strikes is provoked until it is.

The plan arms every point twice, once to kill and once to stop; whether anybody comes by while it is armed is the
desk's affair. Here the points that are left are armed scene by scene, and each scene leads the desk past its own.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable

import httpx
import psycopg
import redis

from failpoints.catalog import POINTS
from tests.chaos import faults, process_faults, scenes
from tests.chaos.load import Load
from tests.chaos.operator import Operator
from tests.chaos.stage import Stage

ACTIONS = ("kill", "stop")
ORDINARY_SECONDS = 4.0
PAUSE_SECONDS = 1.0
AWAY = (OSError, httpx.HTTPError, redis.RedisError, psycopg.Error)
Strike = tuple[str, str]
"""A point's name and what whoever passes it does: kill or stop."""


def missing_strikes(struck: Iterable[Strike]) -> list[Strike]:
    """Return the strikes that a full run still lacks, in the catalog's order."""
    done = set(struck)
    return [(name, action) for name in POINTS for action in ACTIONS if (name, action) not in done]


def prepare(stage: Stage, load: Load, seed: int, symbols: Iterable[str]) -> scenes.Set:
    """Hire an operator and a trader of whom nothing else is asked; return what scenes are played with."""
    (quiet,) = stage.floor._create(1, "--idempotency-class", "C")
    rng = random.Random(f"roundup:{seed}")
    return scenes.Set(stage, load, Operator(stage), rng, tuple(sorted(symbols)), quiet)


def play_along(scene: scenes.Set, ended: threading.Event, say: Callable[[str], None]) -> None:
    """Play the scenes of the points that need one beside the plan's faults, until these have ended."""
    while not ended.is_set():
        left = [strike for strike in _left(scene.stage) if scenes.scene_of(strike[0])]
        _play(scene, left, ended.is_set, say)
        ended.wait(PAUSE_SECONDS)


def round_up(scene: scenes.Set, say: Callable[[str], None], longest_seconds: float) -> None:
    """Arm and provoke whatever is left until every point was struck twice, or the time is up."""
    deadline = time.monotonic() + longest_seconds
    while time.monotonic() < deadline and (left := _left(scene.stage)):
        say(f"{len(left)} strikes to go: {' '.join(sorted({name for name, _ in left}))}")
        _play(scene, left, lambda: time.monotonic() > deadline, say)


def _play(
    scene: scenes.Set, left: list[Strike], is_over: Callable[[], bool], say: Callable[[str], None]
) -> None:
    """Play each scene that leads to one of these points once."""
    for play, about in _by_scene(left).items():
        points = sorted({*about} & {*_left(scene.stage)})
        if not points or is_over():
            continue
        _arm(scene.stage, scene.rng, points)
        try:
            play(scene)
        except AWAY as error:  # what a fault has just taken away comes back by itself
            say(f"{play.__name__} broke off: {type(error).__name__}")
            time.sleep(PAUSE_SECONDS)


def _left(stage: Stage) -> list[Strike]:
    return missing_strikes((hit.name, hit.action) for hit in stage.arming.hits)


def _by_scene(left: list[Strike]) -> dict[Callable[[scenes.Set], None], list[Strike]]:
    found: dict[Callable[[scenes.Set], None], list[Strike]] = {}
    for name, action in left:
        play = scenes.scene_of(name) or _ordinary(name)
        found.setdefault(play, []).append((name, action))
    return found


_ORDINARY: dict[str, Callable[[scenes.Set], None]] = {}


def _ordinary(name: str) -> Callable[[scenes.Set], None]:
    """Return the scene that is the one fault which provokes a point, or only time; the same one for the same fault."""
    kind = next((kind for start, kind in faults.PROVOCATIONS.items() if name.startswith(start)), "")

    def play(scene: scenes.Set) -> None:
        if kind:
            faults.inject(scene.stage, scene.rng, kind)
        time.sleep(ORDINARY_SECONDS)

    return _ORDINARY.setdefault(kind, play)


def _arm(stage: Stage, rng: random.Random, strikes: list[Strike]) -> None:
    """Arm each point once: a point waits for one strike at a time."""
    first: dict[str, str] = {}
    for name, action in strikes:
        first.setdefault(name, action)
    for name, action in first.items():
        stage.arming.arm(name, action, process_faults.choose_hold(rng, sleep=False))
