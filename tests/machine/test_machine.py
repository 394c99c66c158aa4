"""Orders, fills, crashes and restarts by the thousand, without processes.

The same 40 days each time. ``MACHINE_EXAMPLES`` has so many others played, each of ``MACHINE_STEPS``;
``MACHINE_SHRINK=1`` has the shortest day looked for that fails, which takes minutes.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.desk_machine import DeskMachine

PROFILE = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "40")),
    stateful_step_count=int(os.environ.get("MACHINE_STEPS", "50")),
    derandomize="MACHINE_EXAMPLES" not in os.environ,
    phases=[Phase.generate, *([Phase.shrink] if os.environ.get("MACHINE_SHRINK") else [])],
    print_blob=False,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def assert_every_day_ends_well(days: settings) -> None:
    """Play them; the machine compares rows, history and books after every step, and at the end of each day."""
    run_state_machine_as_test(DeskMachine, settings=days)


@pytest.mark.usefixtures("quick")
def test_no_order_is_lost_and_none_is_sent_twice() -> None:
    assert_every_day_ends_well(PROFILE)
