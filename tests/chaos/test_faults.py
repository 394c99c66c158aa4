"""The list of faults: complete, drawn from the seed alone, and each with a door to it."""

import random
from typing import Any, cast

import pytest

from failpoints.catalog import POINTS
from tests.chaos import faults, venue_faults
from tests.chaos.process_faults import choose, choose_hold
from tests.chaos.processes import Process
from tests.chaos.settings import LEASE_TTL_SECONDS
from tests.chaos.stage import Stage
from venue.faults import parse_rule


class Roster:
    """A stage of which only the processes are asked."""

    def __init__(self, *labels: str) -> None:
        self._labels = labels

    def processes(self) -> list[Process]:
        return [Process(label, pid) for pid, label in enumerate(self._labels, start=1)]


def roster(*labels: str) -> Stage:
    return cast(Stage, Roster(*labels))


def test_every_point_can_kill_and_stop() -> None:
    for name in POINTS:
        assert {f"failpoint:{name}:kill", f"failpoint:{name}:stop"} <= set(faults.KINDS)


def test_no_kind_is_listed_twice_and_each_has_its_strike() -> None:
    assert len(set(faults.KINDS)) == len(faults.KINDS)
    for kind in faults.KINDS:
        assert callable(faults._strike_of(kind))


def test_every_provocation_is_a_kind_for_a_point_that_exists() -> None:
    for start, kind in faults.PROVOCATIONS.items():
        assert kind in faults.KINDS
        assert any(name.startswith(start) for name in POINTS), start


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        faults.inject(roster(), random.Random(1), "kill:everybody")


def test_the_seed_alone_chooses_the_victim() -> None:
    stage = roster("worker:7", "worker:8", "worker:9", "worker:pool", "web")

    def victims() -> list[Process | None]:
        rng = random.Random("7")
        return [choose(stage, rng, "worker") for _ in range(50)]

    drawn = victims()
    assert drawn == victims()
    assert {victim.label for victim in drawn if victim} == {"worker:7", "worker:8", "worker:9", "worker:pool"}


def test_nobody_to_strike_is_said_and_is_no_error() -> None:
    assert faults.inject(roster("web"), random.Random(1), "kill:worker") == "skipped: no worker runs"
    assert faults.inject(roster("web"), random.Random(1), "sleep:worker") == "skipped: no worker runs"


def test_a_sleeper_sleeps_past_its_lease_with_nobody_to_renew_it() -> None:
    rng = random.Random(3)
    holds = [choose_hold(rng) for _ in range(200)]
    asleep = [hold for hold in holds if hold.unsupervised]
    assert 40 < len(asleep) < 120
    assert min(hold.seconds for hold in asleep) > LEASE_TTL_SECONDS + 1


@pytest.mark.parametrize("name", venue_faults.FAULTS)
def test_the_venue_understands_every_rule(name: str) -> None:
    for seed in range(20):
        rule: dict[str, Any] = {"match": {}, "fault": venue_faults.FAULTS[name](random.Random(seed))}
        assert parse_rule(rule).kind == rule["fault"]["kind"]
