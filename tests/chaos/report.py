"""The table at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from failpoints.catalog import POINTS
from tests.chaos.checks import Result
from tests.chaos.plan import FAILPOINT, Plan
from tests.chaos.quiet import Rest
from tests.chaos.requests import Journal
from tests.chaos.roundup import Strike, missing_strikes

SHOWN = 12
SKIPPED = "skipped"


@dataclass(frozen=True)
class Injected:
    """One fault as it went: when, in seconds from the beginning, and what was done."""

    number: int
    at_seconds: float
    kind: str
    done: str

    @property
    def skipped(self) -> bool:
        return self.done.startswith(SKIPPED)


@dataclass(frozen=True)
class Outcome:
    """One whole run."""

    plan: Plan
    injected: Sequence[Injected]
    hits: Counter[Strike]  # how often somebody ran into which point, and what it did
    journal: Journal
    rest: Rest
    result: Result
    deadlocks: list[str]
    seconds: float
    troubles: Sequence[str] = field(default_factory=tuple)  # of the stage itself, not of the desk
    points: Sequence[str] = ()  # that must have been struck by a kill and by a stop

    @property
    def findings(self) -> dict[str, list[str]]:
        """Return everything that must be empty, by name."""
        return {
            **self.result.findings,
            "deadlocks": self.deadlocks,
            "not quiet in time": self.rest.unsettled,
            **({"points not struck twice": self.missing} if self.points else {}),
        }

    @property
    def is_clean(self) -> bool:
        return not any(self.findings.values())

    @property
    def missing(self) -> list[str]:
        """Return the points that should have been struck by a kill and by a stop, with what they lack."""
        lacking: dict[str, list[str]] = {}
        for name, action in missing_strikes(self.points, self.hits):
            lacking.setdefault(name, []).append(action)
        return [f"{name} (no {' and no '.join(actions)})" for name, actions in lacking.items()]


def table(outcome: Outcome) -> str:
    """Write the run for people: what was done to the desk, what was asked of it, and what must be zero."""
    answers = outcome.journal.by_class()
    verdicts, books = outcome.result.verdicts, outcome.rest.books
    quiet = outcome.rest.seconds
    rows: list[tuple[str, object]] = [
        ("seed", outcome.plan.seed),
        (
            "faults",
            f"{len(outcome.injected)}, of these skipped {sum(one.skipped for one in outcome.injected)}",
        ),
        ("failpoints struck", _struck(outcome)),
        ("requests", len(outcome.journal.sent)),
        (
            "2xx / 4xx / 5xx / no answer",
            " / ".join(str(answers[name]) for name in ("2xx", "4xx", "5xx", "none")),
        ),
        ("orders", verdicts.orders),
        ("at the venue", verdicts.at_venue),
        ("explained", verdicts.explained),
        ("exits behind unresolved, listed", verdicts.waiting),
        ("cancels and replaces", len(books.requests)),
        ("class C unresolved, listed", verdicts.unresolved),
        ("fills", len(books.executions)),
        ("dead letters", books.dead_letters),
        ("time to quiet", "never" if quiet is None else f"{quiet:.1f} s"),
        ("whole run", f"{outcome.seconds:.0f} s"),
    ]
    lines = [f"{name:<36}{value}" for name, value in rows]
    lines += ["", "Must be 0", *(f"{name:<36}{len(found)}" for name, found in outcome.findings.items())]
    return "\n".join(["", *_by_kind(outcome), "", *lines, "", *_details(outcome)])


def _struck(outcome: Outcome) -> str:
    lacking = {name for name, _ in missing_strikes(POINTS, outcome.hits)}
    said = f"{len(POINTS) - len(lacking)} of {len(POINTS)}, by a kill and a stop each"
    return f"{said}; {sum(outcome.hits.values())} strikes"


def _by_kind(outcome: Outcome) -> list[str]:
    """Count the faults by kind; all failpoints are two kinds here, as the table has one line for each."""
    done: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for one in outcome.injected:
        kind = f"{FAILPOINT}*:{one.kind.rpartition(':')[2]}" if one.kind.startswith(FAILPOINT) else one.kind
        done[kind] += not one.skipped
        skipped[kind] += one.skipped
    lines = [f"{'fault':<36}{'done':>6}{'skipped':>9}"]
    return lines + [f"{kind:<36}{done[kind]:>6}{skipped[kind]:>9}" for kind in sorted({*done, *skipped})]


def _details(outcome: Outcome) -> list[str]:
    lines = [f"stage: {trouble}" for trouble in outcome.troubles[:SHOWN]]
    for name, found in outcome.findings.items():
        lines += [f"{name}: {line}" for line in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"{name}: and {len(found) - SHOWN} more")
    return [*lines, ""] if lines else []


def verdict(outcome: Outcome) -> str:
    """Return the one line that says it all."""
    broken = [f"{len(found)} {name}" for name, found in outcome.findings.items() if found]
    return f"not zeros: {', '.join(broken)}" if broken else "zeros: nothing lost, nothing twice"
