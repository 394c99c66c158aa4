"""What goes wrong, and when: the whole run's faults, drawn from a seed before the run begins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

FAILPOINT = "failpoint:"
PROVOKED_BY = {
    "deny.": ("proxy:venue:black_hole", "stop:fleet"),
    "disowned.": ("proxy:postgres:black_hole", "stop:fleet", "stop:fleet2"),
    "lookup.": ("venue:drop_response", "kill:worker"),
    "orphan.lease.": ("kill:forkserver", "kill:fleet", "kill:fleet2"),
    "reap.": ("kill:worker",),
    "send.duplicate": ("proxy:venue:late",),
    "undo.": ("venue:rate_limit", "proxy:venue:reset"),
    "unknown.": ("venue:drop_response", "venue:delay", "venue:error_after"),
    "wedged.": ("stop:worker",),
}
"""Points that a healthy desk does not pass, and the faults that lead it there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when it is due, in seconds from the run's beginning, its kind, and the seed of its details."""

    number: int
    at_seconds: float
    kind: str
    seed: str

    def rng(self) -> random.Random:
        """Return this fault's own source of chance, the same in every run of the seed."""
        return random.Random(self.seed)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every fault of one run, by time."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...] = field(repr=False)

    def lines(self) -> list[str]:
        """Write the plan for people."""
        return [f"{fault.at_seconds:8.2f}  {fault.number:4d}  {fault.kind}" for fault in self.faults]


def make_plan(
    *, seed: int, count: int, kinds: Sequence[str], seconds: float, focus: Sequence[str] = ()
) -> Plan:
    """Draw ``count`` faults over ``seconds`` seconds; the same arguments give the same plan.

    Every failpoint is struck twice, once to kill and once to stand still, far apart; other kinds make up the rest.
    Where there are too few faults for that, half of them are failpoints, drawn by chance. ``focus`` limits the kinds:
    each is then as likely as the others. What is no kind is how some begin (``failpoint:send.``).
    """
    rng = random.Random(f"plan:{seed}")
    if focus:
        chosen = [kind for name in focus for kind in ([name] if name in kinds else _begun_by(kinds, name))]
        drawn = _shuffled_rounds(rng, chosen, count)
    else:
        drawn = _draw(rng, kinds, count)
    gap = seconds / max(count, 1)
    faults = [
        Fault(number, round((number + rng.random()) * gap, 3), kind, f"{seed}:{number}:{kind}")
        for number, kind in enumerate(drawn)
    ]
    return Plan(seed, seconds, tuple(faults))


def _begun_by(kinds: Sequence[str], name: str) -> list[str]:
    return [kind for kind in kinds if kind.startswith(name)]


def _draw(rng: random.Random, kinds: Sequence[str], count: int) -> list[str]:
    points = sorted({kind.rpartition(":")[0] for kind in kinds if kind.startswith(FAILPOINT)})
    others = [kind for kind in kinds if not kind.startswith(FAILPOINT)]
    first, second = _two_rounds(rng, points)
    if len(first + second) <= count:
        halves = (count // 2, count - count // 2)
        drawn = [
            kind
            for strikes, size in zip((first, second), halves, strict=True)
            for kind in _shuffled(rng, strikes + _shuffled_rounds(rng, others, size - len(strikes)))
        ]
    else:
        struck = rng.sample(first + second, count // 2)
        drawn = _shuffled(rng, struck + _shuffled_rounds(rng, others, count - len(struck)))
    return _provoke(rng, drawn, kinds)


def _provoke(rng: random.Random, drawn: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """Put, behind each failpoint that needs one, a fault that leads the desk there in the place of the next other."""
    faults = list(drawn)
    wanted: list[tuple[str, ...]] = []
    for index, kind in enumerate(drawn):
        if kind.startswith(FAILPOINT):
            name = kind.removeprefix(FAILPOINT)
            wanted += [
                by for start, by in PROVOKED_BY.items() if name.startswith(start) and {*by} <= {*kinds}
            ]
        elif wanted:
            faults[index] = rng.choice(wanted.pop(0))
    return faults


def _two_rounds(rng: random.Random, points: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return every point twice: what does not kill in the first round does in the second."""
    first = {point: rng.choice(("kill", "stop")) for point in points}
    other = {"kill": "stop", "stop": "kill"}
    return (
        [f"{point}:{action}" for point, action in first.items()],
        [f"{point}:{other[action]}" for point, action in first.items()],
    )


def _shuffled_rounds(rng: random.Random, kinds: Sequence[str], count: int) -> list[str]:
    """Return ``count`` kinds, each as often as any other but for one."""
    drawn: list[str] = []
    while kinds and len(drawn) < count:
        drawn += _shuffled(rng, kinds)
    return drawn[: max(count, 0)]


def _shuffled(rng: random.Random, kinds: Sequence[str]) -> list[str]:
    return rng.sample(list(kinds), len(kinds))
