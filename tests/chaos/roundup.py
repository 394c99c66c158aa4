"""Sees to it that a run strikes every point that it must: scenes beside the plan's faults, and a last round.

The plan arms every point twice, once to kill and once to stop; whether anybody comes by while it is armed is the
desk's affair. Here points are armed scene by scene, and each scene leads the desk past its own.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import psycopg
import redis
from kombu.exceptions import OperationalError as BrokerDown

from tests.chaos import process_faults
from tests.chaos.load import Load
from tests.chaos.operator import Operator
from tests.chaos.scenes import Play, is_rare, scene_of
from tests.chaos.scenes.scene import Scene
from tests.chaos.stage import Stage

ACTIONS = ("kill", "stop")
SECONDS_A_STRIKE = 4.0
"""So long the last round waits for each strike that is left when it begins, all together."""
PAUSE_SECONDS = 1.0
AWAY = (OSError, httpx.HTTPError, redis.RedisError, BrokerDown, psycopg.Error)
"""What a scene runs into while a fault has taken a part of the desk away; it comes back by itself."""
Strike = tuple[str, str]
"""A point's name and what whoever passes it does: kill or stop."""


def missing_strikes(points: Iterable[str], struck: Iterable[Strike]) -> list[Strike]:
    """Return the strikes that these points still lack, in their order."""
    done = set(struck)
    return [(name, action) for name in points for action in ACTIONS if (name, action) not in done]


def prepare(stage: Stage, load: Load, seed: int, prices: Mapping[str, Decimal]) -> Scene:
    """Hire an operator and two traders of whom nothing else is asked; return what scenes are played with."""
    quiet_a, quiet_c = (stage.floor.trader("--idempotency-class", name) for name in "AC")
    return Scene(stage, load, Operator(stage), random.Random(f"roundup:{seed}"), prices, quiet_a, quiet_c)


@contextlib.contextmanager
def playing_along(scene: Scene, points: Sequence[str], say: Callable[[str], None]) -> Iterator[None]:
    """Play the scenes of those points that need one of their own beside what happens in the block."""
    rare = [name for name in points if is_rare(name)]
    ended = threading.Event()

    def play_on() -> None:
        while not ended.is_set():
            _play_all(scene, rare, ended.is_set, say)
            ended.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(1, "scenes") as thread:
        playing = thread.submit(play_on)
        try:
            yield
        except BaseException:
            scene.curtain.set()
            raise
        finally:
            ended.set()
    playing.result()


def round_up(scene: Scene, points: Sequence[str], say: Callable[[str], None]) -> None:
    """Arm and provoke whatever is left until each of these points was struck twice, or the time is up."""
    deadline = time.monotonic() + SECONDS_A_STRIKE * len(_left(scene.stage, points))
    while time.monotonic() < deadline and (left := _left(scene.stage, points)):
        say(f"{len(left)} strikes to go: {' '.join(sorted({name for name, _ in left}))}")
        _play_all(scene, points, lambda: time.monotonic() > deadline, say)


def _play_all(
    scene: Scene, points: Sequence[str], is_over: Callable[[], bool], say: Callable[[str], None]
) -> None:
    """Play the scene of each point that lacks a strike once."""
    for play, names in _by_scene(name for name, _ in _left(scene.stage, points)).items():
        left = _left(scene.stage, names)
        if not left or is_over():
            continue
        try:
            play(scene.about(_arm(scene, left)))
        except AWAY as error:
            say(f"{play.__name__} broke off: {type(error).__name__}: {error}".splitlines()[0])
            time.sleep(PAUSE_SECONDS)


def _left(stage: Stage, points: Iterable[str]) -> list[Strike]:
    stage.arming.look()
    return missing_strikes(points, [(hit.name, hit.action) for hit in stage.arming.hits])


def _by_scene(points: Iterable[str]) -> dict[Play, list[str]]:
    found: dict[Play, list[str]] = {}
    for name in dict.fromkeys(points):
        found.setdefault(scene_of(name), []).append(name)
    return found


def _arm(scene: Scene, left: Sequence[Strike]) -> list[str]:
    """Arm each point once, since a point waits for one strike at a time; return their names."""
    first: dict[str, str] = {}
    for name, action in left:
        first.setdefault(name, action)
    for name, action in first.items():
        scene.stage.arming.arm(name, action, process_faults.choose_hold(scene.rng, sleep=False))
    return list(first)
