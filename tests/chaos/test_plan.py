from collections import Counter

from tests.chaos.plan import FAILPOINT, make_plan

POINTS = [f"point.{number}" for number in range(10)]
KINDS = [
    "kill:web",
    "stop:web",
    "redis:flushall",
    *(f"failpoint:{point}:{action}" for point in POINTS for action in ("kill", "stop")),
]


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    plans = [make_plan(seed=seed, count=60, kinds=KINDS, seconds=60) for seed in (1, 1, 2)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]
    assert plans[0].faults[7].rng().random() == plans[1].faults[7].rng().random()


def test_every_failpoint_is_struck_twice_in_two_ways_and_far_apart() -> None:
    plan = make_plan(seed=3, count=60, kinds=KINDS, seconds=60)
    struck = Counter(fault.kind for fault in plan.faults)
    assert len(plan.faults) == 60
    assert all(struck[kind] == 1 for kind in KINDS if kind.startswith(FAILPOINT))
    assert min(struck[kind] for kind in KINDS[:3]) >= 12
    halves = [{fault.kind.split(":")[1] for fault in half} for half in (plan.faults[:30], plan.faults[30:])]
    assert all(set(POINTS) <= half for half in halves)


def test_times_grow_and_stay_within_the_run() -> None:
    times = [fault.at_seconds for fault in make_plan(seed=4, count=25, kinds=KINDS, seconds=50).faults]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < 50


def test_a_short_plan_has_half_of_its_faults_at_failpoints() -> None:
    plan = make_plan(seed=5, count=12, kinds=KINDS, seconds=12)
    assert sum(fault.kind.startswith(FAILPOINT) for fault in plan.faults) == 6


def test_a_focus_names_kinds_by_how_they_begin() -> None:
    plan = make_plan(seed=6, count=9, kinds=KINDS, seconds=9, focus=("failpoint:point.1:", "redis:"))
    struck = Counter(fault.kind for fault in plan.faults)
    assert struck == {"failpoint:point.1:kill": 3, "failpoint:point.1:stop": 3, "redis:flushall": 3}


def test_a_point_that_a_healthy_desk_does_not_pass_is_provoked() -> None:
    wedged = [f"failpoint:wedged.before_kill:{action}" for action in ("kill", "stop")]
    plan = make_plan(seed=7, count=60, kinds=[*KINDS, *wedged, "stop:worker"], seconds=60)
    kinds = [fault.kind for fault in plan.faults]
    for kind in wedged:
        after = [other for other in kinds[kinds.index(kind) :] if not other.startswith(FAILPOINT)]
        assert after[:1] in ([], ["stop:worker"])
