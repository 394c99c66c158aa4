"""The machine finds the desk that has lost one of its guarantees."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from brokers.types import NewOrder
from orders.models import Order
from orders.services import submission, submission_answers
from tests.machine.desk_machine import DeskMachine

Break = Callable[[pytest.MonkeyPatch], None]

PROFILE = settings(
    max_examples=200,
    stateful_step_count=40,
    phases=[Phase.generate],
    derandomize=True,
    print_blob=False,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def fills_count_again(patch: pytest.MonkeyPatch) -> None:
    """Neither the executions nor the state know an exec id again."""
    patch.setattr("orders.services.executions.write_execution", lambda order, report: True)
    patch.setattr(
        "orders.state.fills.add_trade", lambda state, fill: replace(state, fills=(*state.fills, fill))
    )


def epochs_are_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("orders.services.submission.hold_lease", lambda fence: None)


def deadlines_are_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tasks.fleet.session.TraderSession.before_send", lambda self: None)


def every_attempt_has_a_fresh_id(patch: pytest.MonkeyPatch) -> None:
    original = submission.command_of

    def fresh(order: Order) -> NewOrder:
        return replace(original(order), cl_ord_id=f"{order.cl_ord_id[:-2]}-{order.attempt}")

    patch.setattr("orders.services.submission.command_of", fresh)


def nobody_looks_before_a_second_sending(patch: pytest.MonkeyPatch) -> None:
    def send_again(order: Order, *, adapter: Any, fence: Any) -> None:
        submission_answers.undo_submission(
            order.id, order.attempt, "surely not", eligible_at=None, fence=fence
        )

    patch.setattr("tasks.fleet.session.look_up_order", send_again)


BREAKS: dict[Break, str] = {
    fills_count_again: "fill twice|venue filled",
    epochs_are_not_checked: "under the epoch",
    deadlines_are_not_checked: "a lease that has run out",
    every_attempt_has_a_fresh_id: "that nobody placed",
    nobody_looks_before_a_second_sending: "at the venue twice|at its venue",
}

SEEDS: dict[Break, int] = {epochs_are_not_checked: 2}
"""Whose days come to it soon; by those that Hypothesis draws otherwise it takes minutes."""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__)
def test_a_lost_guarantee_is_found(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    machine = type("Machine", (DeskMachine,), {})
    if broken in SEEDS:
        machine = seed(SEEDS[broken])(machine)
    with pytest.raises(AssertionError, match=BREAKS[broken]):
        run_state_machine_as_test(machine, settings=PROFILE)
