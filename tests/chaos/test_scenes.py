"""What a full run still has to strike, and which scene leads there."""

from failpoints.catalog import POINTS
from tests.chaos import roundup, scenes
from tests.chaos.roundup import ACTIONS, missing_strikes
from tests.chaos.run import Options


def test_every_scene_leads_past_a_point_that_exists() -> None:
    for start in scenes.SCENES:
        assert any(name.startswith(start) for name in POINTS), start


def test_a_point_is_missing_until_it_was_struck_in_both_ways() -> None:
    everything = [(name, action) for name in POINTS for action in ACTIONS]
    assert missing_strikes([]) == everything
    assert missing_strikes([*everything, ("bell.before", "fail")]) == []
    assert missing_strikes(everything[1:]) == everything[:1]
    assert missing_strikes([*everything[1:], (everything[0][0], "fail")]) == everything[:1]


def test_points_of_one_scene_are_played_for_together() -> None:
    left = [("adopt.before", "kill"), ("bell.before", "kill"), ("resolve.adopt.before_commit", "stop")]
    plays = roundup._by_scene(left)
    assert plays[scenes.adopt] == [left[0], left[2]]
    assert len(plays) == 2


def test_a_run_is_full_with_faults_enough_for_every_point_and_without_a_focus() -> None:
    enough = 2 * len(POINTS)
    assert Options(seed=1, faults=enough).is_full
    assert not Options(seed=1, faults=enough - 1).is_full
    assert not Options(seed=1, faults=enough, focus=("kill:web",)).is_full
    assert Options(seed=1, faults=1, every_point=True).is_full
