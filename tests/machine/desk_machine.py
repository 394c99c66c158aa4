"""The rules: what may happen, in any order. Hypothesis looks for the order in which something breaks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from brokers.types import OrdStatus
from failpoints import listening
from orders.intake.replace_request import ReplaceTerms
from tests.machine.clock import Clock
from tests.machine.stage import Stage
from tests.machine.venue import Book, VenueOrder, Weather
from tests.machine.workers import End, Fate

BETWEEN = (
    # outside of every transaction, where another may take over
    "submit.before",
    "submit.after_commit",
    "send.departing",
    "send.after",
    "request.before",
    "request.after_commit",
    "lookup.after",
)

picks = st.integers(0, 5)
quantities = st.integers(1, 10).map(Decimal)
prices = st.sampled_from([Decimal(99), Decimal(100), Decimal("101.5")])
short_fates = st.builds(Fate, st.sampled_from([End.NONE, End.CRASH]), st.integers(0, 1))
LIVES = Fate()
fates = st.one_of(
    st.just(LIVES),
    st.builds(Fate, st.sampled_from([End.CRASH, End.PAUSE]), st.integers(0, 12)),
    st.builds(Fate, st.just(End.PAUSE), at=st.sampled_from(BETWEEN)),
)
waits = st.sampled_from([0, 0, 1, 4, 31])
MOVES = (OrdStatus.NEW, OrdStatus.CANCELED, OrdStatus.EXPIRED)
forecasts = st.lists(st.sampled_from(Weather), max_size=3)
alerts = st.fixed_dictionaries(
    {
        "account": st.integers(0, 1),
        "symbol": st.sampled_from(["AAPL", "MSFT"]),
        "action": st.sampled_from(["buy", "sell"]),
        "order_type": st.sampled_from(["entry", "entry", "exit"]),
        "quantity": quantities.map(str),
    },
    optional={"price": st.just("100")},
)
terms = st.one_of(
    st.builds(ReplaceTerms, order_qty=st.integers(1, 15).map(Decimal)),
    st.builds(ReplaceTerms, price=prices),
)


class DeskMachine(RuleBasedStateMachine):
    """One trader's day."""

    def __init__(self) -> None:
        super().__init__()
        self._has_failed = False
        self._patches = ExitStack()
        enter = self._patches.enter_context
        clock = Clock()
        enter(patch("django.utils.timezone.now", clock))
        enter(patch("orders.selectors.Now", clock.in_database))
        enter(patch("tasks.fleet.session.work_at_hand", clock.work_at_hand))
        self.stage = Stage(clock)
        enter(listening(self.stage.cast.listen))
        enter(patch("tasks.fleet.accounts.adapter_for", self.stage.adapter_for))
        enter(patch("tasks.fleet.accounts.close_old_connections"))
        enter(patch("tasks.routing.ring"))
        enter(patch("tasks.fleet.session.log.exception", _fail))

    @initialize(alerts=st.lists(alerts, min_size=1, max_size=3))
    def begin(self, alerts: list[dict[str, Any]]) -> None:
        for alert in alerts:
            self.stage.alert(Fate(), **alert)

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One thing happens.

        A rule for each would be left out of most examples (Hypothesis swarms), and little happens without a worker.
        """
        possible = [deed.name for deed in DEEDS for _ in range(deed.weight) if deed.needs(self.stage)]
        name = data.draw(st.sampled_from(possible), label="deed")
        arguments = data.draw(BY_NAME[name].arguments, label=name)
        try:
            getattr(self, name)(**arguments)
            self.stage.check()
        except BaseException:
            self._has_failed = True
            raise

    def teardown(self) -> None:
        """The day of reckoning, for days that went well so far."""
        try:
            if not self._has_failed:
                with override_settings(ENTRY_MAX_AGE_SECONDS=1_000_000):
                    self.stage.heal()
                self.stage.reckon()
        finally:
            self.close()

    def close(self) -> None:
        """End the workers and give the world back; calling it twice is safe."""
        self.stage.close()
        self._patches.close()

    # --- web ---

    def alert(self, alert: dict[str, Any], fate: Fate) -> None:
        self.stage.alert(fate, **alert)

    def resend(self, pick: int, fate: Fate) -> None:
        self.stage.resend(pick, fate)

    def cancel(self, pick: int, fate: Fate) -> None:
        self.stage.cancel(pick, fate)

    def replace(self, pick: int, fate: Fate, terms: ReplaceTerms) -> None:
        self.stage.replace(pick, fate, terms)

    # --- the fleet ---

    def turn(self, pick: int, wait: int, forecast: list[Weather], fate: Fate) -> None:
        """A bell rings, after a while, in this weather; the bell of one without a worker calls for one."""
        self.stage.advance(wait)
        self.stage.weather.extend(forecast)
        self.stage.man()
        if ready := self.stage.ready:
            ready[pick % len(ready)].turn(fate)

    def resume(self, pick: int, forecast: list[Weather], fate: Fate) -> None:
        self.stage.weather.extend(forecast)
        paused = self.stage.paused
        paused[pick % len(paused)].resume(fate)

    def oversleep(self, pick: int, turns: int, fate: Fate) -> None:
        """One who stands still wakes after another has taken over, and perhaps done something."""
        paused = self.stage.paused
        sleeper = paused[pick % len(paused)]
        sleeper.expire()
        self.stage.claim()
        for _ in range(turns):
            self.turn(pick=-1, wait=4, forecast=[], fate=LIVES)
        sleeper.resume(fate)

    def expire(self, pick: int, taken_over: bool) -> None:
        """A lease runs out under a living worker; another may take the trader over."""
        living = self.stage.living
        living[pick % len(living)].expire()
        if taken_over:
            self.stage.claim()

    def kill(self, pick: int) -> None:
        living = self.stage.living
        living[pick % len(living)].die()

    def sweep(self, fate: Fate) -> None:
        """The minute of an entry is over."""
        self.stage.advance(90)
        self.stage.sweep(fate)

    # --- the venue ---

    def arrive(self, pick: int) -> None:
        books = _in_transit(self.stage)
        books[pick % len(books)].arrive(pick)

    def fill(self, pick: int, qty: Decimal, price: Decimal) -> None:
        working = _working(self.stage)
        book, order = working[pick % len(working)]
        book.fill(order, qty, price)

    def move(self, pick: int, status: OrdStatus) -> None:
        working = _working(self.stage)
        book, order = working[pick % len(working)]
        if status is OrdStatus.NEW:
            book.acknowledge(order)
        else:
            book.end(order, status)

    def deliver(self, pick: int, which: int, again: bool, fate: Fate) -> None:
        audible = self.stage.audible()
        worker, stream = audible[pick % len(audible)]
        worker.hear(fate, lambda: stream.deliver(which, again=again))

    def break_stream(self, pick: int) -> None:
        audible = self.stage.audible()
        worker, stream = audible[pick % len(audible)]
        worker.hear(Fate(), stream.drop)


def _fail(message: str, **_context: object) -> None:
    raise AssertionError(message)


def _working(stage: Stage) -> list[tuple[Book, VenueOrder]]:
    return [(book, order) for book in stage.books for order in book.working()]


def _in_transit(stage: Stage) -> list[Book]:
    return [book for book in stage.books if book.in_transit]


@dataclass(frozen=True)
class Deed:
    """Something that may happen: a method of the machine, how often it is chosen, and what it cannot do without."""

    name: str
    weight: int
    needs: Callable[[Stage], object]
    arguments: st.SearchStrategy[dict[str, Any]]


def _deed(
    weight: int,
    method: Callable[..., None],
    needs: Callable[[Stage], object] = lambda stage: True,
    **arguments: st.SearchStrategy[Any],
) -> Deed:
    return Deed(method.__name__, weight, needs, st.fixed_dictionaries(arguments))


DEEDS = (
    _deed(4, DeskMachine.alert, alert=alerts, fate=short_fates),
    _deed(1, DeskMachine.resend, pick=picks, fate=short_fates),
    _deed(2, DeskMachine.cancel, pick=picks, fate=short_fates),
    _deed(2, DeskMachine.replace, pick=picks, fate=short_fates, terms=terms),
    _deed(10, DeskMachine.turn, pick=picks, wait=waits, forecast=forecasts, fate=fates),
    _deed(4, DeskMachine.resume, lambda stage: stage.paused, pick=picks, forecast=forecasts, fate=fates),
    _deed(
        4, DeskMachine.oversleep, lambda stage: stage.paused, pick=picks, turns=st.integers(0, 2), fate=fates
    ),
    _deed(2, DeskMachine.expire, lambda stage: stage.living, pick=picks, taken_over=st.booleans()),
    _deed(1, DeskMachine.kill, lambda stage: stage.living, pick=picks),
    _deed(1, DeskMachine.sweep, fate=short_fates),
    _deed(2, DeskMachine.arrive, _in_transit, pick=picks),
    _deed(3, DeskMachine.fill, _working, pick=picks, qty=quantities, price=prices),
    _deed(2, DeskMachine.move, _working, pick=picks, status=st.sampled_from(MOVES)),
    _deed(4, DeskMachine.deliver, Stage.audible, pick=picks, which=picks, again=st.booleans(), fate=fates),
    _deed(1, DeskMachine.break_stream, Stage.audible, pick=picks),
)
BY_NAME = {deed.name: deed for deed in DEEDS}
