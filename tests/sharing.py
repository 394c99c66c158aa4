"""How a run of everything is shared by two pytest processes, each with servers and desks of its own.

Flows wait for much and compute little, so two at a time take far less than one after the other. Files that go through
the same desk are one piece, done by the process that has started it; every other file is a piece by itself. The
longest pieces go first, or one process would end long before the other. A run of chosen files is not shared: what it
needs would only be started twice. ``-n`` decides otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

PROCESSES = 2

PIECES = {
    "the shared desks": (
        "tests/flows/test_alerts.py",
        "tests/flows/test_claims.py",
        "tests/flows/test_class_c.py",
        "tests/flows/test_demo.py",
        "tests/flows/test_exits.py",
        "tests/flows/test_market_hours.py",
        "tests/flows/test_outages.py",
        "tests/flows/test_pytest_celery.py",
        "tests/flows/test_refusals.py",
        "tests/flows/test_requests.py",
        "tests/flows/test_reversals.py",
        "tests/flows/test_streams.py",
        "tests/flows/test_sizing.py",
        "tests/flows/test_worker_death.py",
    ),
    "the armed desk": (
        "tests/flows/test_failpoints.py",
        "tests/flows/test_fencing.py",
        "tests/flows/test_protection.py",
        "tests/flows/test_reversal_deaths.py",
    ),
    "chaos": ("tests/chaos/test_chaos.py",),
    "the machine": ("tests/machine/test_it_bites.py",),
    "comparing": ("tests/flows/test_reconciliation.py",),
    "the exit monitor": ("tests/flows/test_exit_monitor.py",),
    "maintenance": ("tests/flows/test_maintenance.py",),
    "the commands": ("tests/desk/test_lifecycle.py",),
    "the browser": ("tests/pages/browser/",),
}
"""Files and folders, longest first; what is not named here comes after, a file at a time.

Neither chaos nor the machine is a flow: a process that goes on with one of them ends the desks that flows share, which
would run on beside its next flows otherwise.
"""

_RANK = {piece: rank for rank, piece in enumerate(PIECES)}


def piece_of(nodeid: str) -> str:
    """Return the piece that a test belongs to."""
    file = nodeid.partition("::")[0]
    return next((piece for piece, places in PIECES.items() if file.startswith(places)), file)


class PieceScheduling(LoadFileScheduling):
    """Hands out pieces, one after another, to whoever is nearly through."""

    def _split_scope(self, nodeid: str) -> str:
        return piece_of(nodeid)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share a run of everything only."""
    return PROCESSES if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> PieceScheduling:
    """Hand out pieces."""
    return PieceScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest pieces first where the run is shared."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _RANK.get(piece_of(item.nodeid), len(_RANK)))
