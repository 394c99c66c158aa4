"""Days that went wrong once, step by step."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.machine.desk_machine import DeskMachine
from tests.machine.venue import Weather
from tests.machine.workers import End, Fate

ENTRY: dict[str, Any] = {
    "account": 0,
    "symbol": "AAPL",
    "action": "buy",
    "order_type": "entry",
    "quantity": "5",
    "price": "100",
}
LIVES = Fate()
AT_ANSWER = Fate(End.PAUSE, at="send.after")


@pytest.fixture
def machine(quick: None) -> Iterator[DeskMachine]:
    machine = DeskMachine()
    machine.stage.alert(LIVES, **ENTRY)
    machine.stage.check()
    yield machine
    machine.close()


def turns(machine: DeskMachine, number: int) -> None:
    """Let the look-ups of an order whose outcome is unknown pass, one a turn."""
    for _ in range(number):
        machine.turn(pick=0, wait=4, forecast=[], fate=LIVES)
        machine.stage.check()


def test_a_refusal_of_an_earlier_attempt_comes_after_the_next_was_accepted(machine: DeskMachine) -> None:
    machine.turn(pick=0, wait=0, forecast=[Weather.REFUSED], fate=AT_ANSWER)
    machine.stage.check()
    machine.expire(pick=0, taken_over=True)
    turns(machine, 8)
    machine.stage.streams[-1][1].drop()
    assert machine.stage.books[0].working()
    machine.resume(pick=0, forecast=[], fate=LIVES)
    machine.stage.check()
    machine.teardown()


def test_a_late_first_attempt_arrives_after_the_second_was_refused(machine: DeskMachine) -> None:
    machine.turn(pick=0, wait=0, forecast=[Weather.LATE, Weather.FAIR], fate=LIVES)
    turns(machine, 3)
    machine.turn(pick=0, wait=4, forecast=[Weather.REFUSED], fate=LIVES)
    machine.kill(pick=0)
    machine.arrive(pick=0)
    assert machine.stage.books[0].working()
    machine.stage.check()
    machine.teardown()


def test_a_late_first_attempt_arrives_after_the_order_grew_too_old(machine: DeskMachine) -> None:
    machine.turn(pick=0, wait=0, forecast=[Weather.LATE, Weather.FAIR], fate=LIVES)
    turns(machine, 3)
    machine.stage.clock.advance(60)
    machine.stage.sweep(LIVES)
    machine.kill(pick=0)
    machine.arrive(pick=0)
    assert machine.stage.books[0].working()
    machine.stage.check()
    machine.teardown()
