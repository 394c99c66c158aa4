"""One run: a stage, a load, the plan's faults one after another, then rest and judgement."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from failpoints.catalog import POINTS
from tests.chaos import faults
from tests.chaos.checks import broken_for_good, check_all
from tests.chaos.load import Load
from tests.chaos.plan import FAILPOINT, Plan, make_plan
from tests.chaos.quiet import wait_quiet
from tests.chaos.report import Injected, Outcome
from tests.chaos.requests import Journal
from tests.chaos.roundup import ACTIONS, Strike, playing_along, prepare, round_up
from tests.chaos.stage import Stage, open_stage

PRICES = {"AAPL": Decimal(227), "F": Decimal(11), "KO": Decimal(71), "MSFT": Decimal(428)}
FAULTS_PER_SECOND = 1.0


class NothingProven(Exception):
    """Raised where the desk did not work at all: zeros that nobody asked for are no proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is made of; the same options give the same plan and the same wishes."""

    seed: int
    faults: int
    seconds: float | None = None  # over which the faults are spread; None: about one a second
    focus: Sequence[str] = ()
    traders: int = 10
    per_second: float = 5.0  # requests
    changes: float = 1.0  # how much more often than usual orders are canceled and replaced
    every_point: bool = False  # strike each failpoint (of the focus) twice, however few faults there are

    @property
    def points(self) -> tuple[str, ...]:
        """Every failpoint that must be struck by a kill and by a stop, or the run fails.

        All of them where the faults are enough for that; none in a shorter run, or one with a focus, unless it is
        asked for.
        """
        if not self.every_point and (self.focus or self.faults < len(ACTIONS) * len(POINTS)):
            return ()
        return tuple(name for name in POINTS if not self.focus or _is_in_focus(name, self.focus))

    @property
    def plan(self) -> Plan:
        return make_plan(
            seed=self.seed,
            count=self.faults,
            kinds=faults.KINDS,
            seconds=self.faults / FAULTS_PER_SECOND if self.seconds is None else self.seconds,
            focus=self.focus,
        )


def _is_in_focus(point: str, focus: Sequence[str]) -> bool:
    kinds = [f"{FAILPOINT}{point}:{action}" for action in ACTIONS]
    return any(kind.startswith(name) for kind in kinds for name in focus)


def run(
    options: Options,
    home: Path,
    say: Callable[[str], None],
    judge: Callable[[Stage, Outcome], None],
    like: Path | None = None,
) -> None:
    """Run once in ``home``, begun as a copy of ``like``; ``judge`` gets the outcome while the stage still stands."""
    began = time.monotonic()
    plan = options.plan
    home.mkdir(parents=True, exist_ok=True)
    journal = Journal(home / "requests.jsonl")
    with open_stage(seed=options.seed, home=home, like=like, traders=options.traders) as stage:
        say(f"the stage stands after {time.monotonic() - began:.0f} s, {len(plan.faults)} faults to come")
        _set_prices(stage)
        load = Load(
            stage.desk.url,
            stage.traders,
            PRICES,
            journal,
            seed=options.seed,
            per_second=options.per_second,
            changes=options.changes,
        )
        stage.on_wake = load.burst
        load.start()
        try:
            injected = _break_everywhere(stage, plan, load, options.points, say)
        finally:
            load.end()
        say("healing")
        stage.heal()
        load.join()
        say("waiting for quiet")
        # A run of a given length is in a hurry: what is broken for good is not waited for.
        hurried = None if options.seconds is None else lambda books: broken_for_good(books, journal.sent)
        rest = wait_quiet(stage.floor, is_broken=hurried)
        outcome = Outcome(
            plan=plan,
            injected=injected,
            hits=_hits(stage),
            journal=journal,
            rest=rest,
            result=check_all(rest.books, journal.sent),
            deadlocks=deadlocks(stage),
            seconds=time.monotonic() - began,
            troubles=list(stage.reversals.failures),
            points=options.points,
        )
        if not outcome.result.verdicts.at_venue:
            raise NothingProven("no order has reached the venue")
        judge(stage, outcome)


def _break(stage: Stage, plan: Plan, load: Load, say: Callable[[str], None]) -> list[Injected]:
    """Inject the plan's faults at their times; one that is late goes at once."""
    began = time.monotonic()
    injected = []
    for fault in plan.faults:
        load.wait_until(began + fault.at_seconds)
        at = time.monotonic() - began
        done = faults.inject(stage, fault.rng(), fault.kind)
        injected.append(Injected(fault.number, at, fault.kind, done))
        if (fault.number + 1) % 25 == 0:
            say(f"{at:6.0f} s, {fault.number + 1} faults")
    load.wait_until(began + plan.seconds)
    return injected


def _break_everywhere(
    stage: Stage, plan: Plan, load: Load, points: Sequence[str], say: Callable[[str], None]
) -> list[Injected]:
    """Inject the plan's faults, play scenes for these points beside them, and at the end strike whatever is left."""
    if not points:
        return _break(stage, plan, load, say)
    scene = prepare(stage, load, plan.seed, PRICES)
    with playing_along(scene, points, say):
        injected = _break(stage, plan, load, say)
    round_up(scene, points, say)
    return injected


def _set_prices(stage: Stage) -> None:
    """Have every symbol begin its walk where the seed's limit orders expect it."""
    for symbol, price in PRICES.items():
        stage.floor.venue("POST", "/control/prices", {"symbol": symbol, "price": str(price), "pinned": False})


def _hits(stage: Stage) -> Counter[Strike]:
    return Counter((hit.name, hit.action) for hit in stage.arming.hits if hit.action in ACTIONS)


def deadlocks(stage: Stage) -> list[str]:
    """Return what PostgreSQL has logged of deadlocks; its counters do not outlive a crash, its log does."""
    lines = stage.desk.read_log("postgres").splitlines()
    return [line for line in lines if "deadlock detected" in line]
