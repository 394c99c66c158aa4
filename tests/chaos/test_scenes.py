"""What a run still has to strike, and which scene leads there."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from failpoints import arm
from failpoints.catalog import POINTS
from tests.chaos import roundup, scenes
from tests.chaos.roundup import ACTIONS, missing_strikes
from tests.chaos.run import Options
from tests.chaos.scenes import orders
from tests.chaos.scenes.scene import Scene


def test_every_scene_is_the_first_that_fits_some_point() -> None:
    for start, play in scenes.SCENES.items():
        first = {
            next((other for other in scenes.SCENES if name.startswith(other)), "")
            for name in POINTS
            if name.startswith(start)
        }
        assert start in first, f"{start}: {play.__name__}"


def test_a_point_is_missing_until_it_was_struck_in_both_ways() -> None:
    everything = [(name, action) for name in POINTS for action in ACTIONS]
    assert missing_strikes(POINTS, []) == everything
    assert missing_strikes(POINTS, [*everything, ("bell.before", "fail")]) == []
    assert missing_strikes(POINTS, everything[1:]) == everything[:1]
    assert missing_strikes(POINTS, [*everything[1:], (everything[0][0], "fail")]) == everything[:1]
    assert missing_strikes(["bell.after"], everything[1:]) == []


def test_points_of_one_scene_are_played_for_together() -> None:
    left = ["adopt.before", "bell.before", "resolve.adopt.before_commit", "adopt.before"]
    plays = roundup._by_scene(left)
    assert plays == {orders.adopt: [left[0], left[2]], orders.everyday: [left[1]]}


def test_a_run_with_faults_enough_must_strike_every_point() -> None:
    enough = 2 * len(POINTS)
    assert Options(seed=1, faults=enough).points == tuple(POINTS)
    assert Options(seed=1, faults=enough - 1).points == ()
    assert Options(seed=1, faults=enough, focus=("kill:web",)).points == ()


def test_a_shorter_run_must_where_it_is_asked_to_and_a_focus_its_own() -> None:
    assert Options(seed=1, faults=1, every_point=True).points == tuple(POINTS)
    focus = ("failpoint:bell.", "failpoint:undo.after_commit:kill", "kill:web")
    points = Options(seed=1, faults=1, every_point=True, focus=focus).points
    assert points == ("bell.before", "bell.after", "undo.after_commit")


# --- how scenes wait ---


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    nothing: Any = None
    stage: Any = SimpleNamespace(failpoints=tmp_path)
    for name in ("bell.before", "bell.after"):
        arm(tmp_path, name, "kill")
    return Scene(stage, nothing, nothing, nothing, {}, nothing, nothing).about(("bell.before", "bell.after"))


def passing(scene: Scene, *names: str) -> Callable[[], None]:
    """Return an act that leads somebody past one of these points after the other, then past none."""
    left = list(names)

    def act() -> None:
        if left:
            (scene.stage.failpoints / left.pop(0)).unlink()
        else:
            time.sleep(0.01)

    return act


def test_a_scene_is_repeated_until_all_its_points_were_passed(scene: Scene) -> None:
    assert scene.armed() == ["bell.before", "bell.after"]
    assert scene.repeat(passing(scene, "bell.after", "bell.before"), 5)
    assert scene.armed() == []


def test_a_scene_that_leads_nobody_there_is_given_up(scene: Scene) -> None:
    assert not scene.repeat(passing(scene, "bell.after"), 0.1)
    assert scene.armed() == ["bell.before"]


def test_no_scene_waits_once_the_run_is_ended(scene: Scene) -> None:
    threading.Timer(0.1, scene.curtain.set).start()
    began = time.monotonic()
    assert not scene.wait_passed(60)
    assert not scene.wait(lambda: False, 60)
    assert time.monotonic() - began < 10
