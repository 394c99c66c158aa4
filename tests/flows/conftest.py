"""The desks that flows go through: every process is real, on free ports, in a folder that goes away.

They end with the last flow: what comes after in the same run has the machine to itself.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.testing import running_desk
from tests.flows.armed import ArmedFloor
from tests.flows.floor import Floor

COMPONENTS = ("postgres", "redis", "venue", "web", "fleet", "sweeps", "beat")

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request hides what a failure says


# Traders by the dozen leave positions behind: to value them, each would get a worker again every minute.
QUIET = {"SWEEP_VALUATION_SECONDS": "3600"}


@pytest.fixture(scope="package")
def running_floor(prepared_home: Path) -> Iterator[Floor]:
    """Run the desk that most flows share, with the settings that an operator gets.

    But for workers, which leave after a minute without work: kept by the dozen, they cost half a processor.
    """
    environment = {"FLEET_POOL_SIZE": "3", "FLEET_MAX_WORKERS": "80", "WORKER_IDLE_SECONDS": "60"}
    with running_desk(components=COMPONENTS, like=prepared_home, env=QUIET | environment) as desk:
        floor = Floor(desk)
        yield floor
        floor.close()


@pytest.fixture(scope="package")
def hasty_running_floor(prepared_home: Path) -> Iterator[Floor]:
    """Run a desk with few workers, no pool and little patience: what takes a minute elsewhere is quick here."""
    environment = {
        "FLEET_POOL_SIZE": "0",
        "FLEET_MAX_WORKERS": "4",
        "LEASE_TTL_SECONDS": "4",
        "LEASE_RENEW_SECONDS": "1",
        "LEASE_MARGIN_SECONDS": "1",
        "WORKER_WEDGED_SECONDS": "4",
        "ENTRY_MAX_AGE_SECONDS": "6",
        "UNDELIVERED_SECONDS": "1",
        "LOOKUP_DELAYS_SECONDS": "0,0.2,0.4,0.8",
        "SWEEP_DUE_SECONDS": "1",
        "SWEEP_ORPHANS_SECONDS": "1",
    }
    with running_desk(components=COMPONENTS, like=prepared_home, env=QUIET | environment) as desk:
        floor = Floor(desk)
        yield floor
        floor.close()


@pytest.fixture(scope="package")
def armed_running_floor(prepared_home: Path) -> Iterator[ArmedFloor]:
    """Run a desk whose processes heed failpoints, with leases that end soon and workers that may stand still."""
    points = Path(tempfile.mkdtemp(prefix="points-"))
    environment = {
        "FAILPOINTS": str(points),
        "FLEET_POOL_SIZE": "2",
        "FLEET_MAX_WORKERS": "24",
        "LEASE_TTL_SECONDS": "4",
        "LEASE_RENEW_SECONDS": "1",
        "LEASE_MARGIN_SECONDS": "1",
        "WORKER_WEDGED_SECONDS": "90",
        "UNDELIVERED_SECONDS": "1",
        "UNRESOLVED_SECONDS": "1",
        "LOOKUP_DELAYS_SECONDS": "0,0.2,0.4,0.8",
        "VERIFY_FIRST_SECONDS": "1",
        "VERIFY_RETRY_SECONDS": "2",
        "SWEEP_DUE_SECONDS": "1",
        "SWEEP_ORPHANS_SECONDS": "1",
    }
    with running_desk(components=COMPONENTS, like=prepared_home, env=QUIET | environment) as desk:
        floor = ArmedFloor(desk, points)
        floor.wait_ready()
        yield floor
        floor.close()
    shutil.rmtree(points)


@pytest.fixture(scope="module")
def armed_books(armed_running_floor: ArmedFloor) -> Iterator[None]:
    """Balance that desk's books."""
    yield
    armed_running_floor.assert_books_balance()


@pytest.fixture(scope="module")
def books(running_floor: Floor) -> Iterator[None]:
    """Balance the books once a module's flows are through: nothing lost, doubled or unexplained."""
    yield
    running_floor.assert_books_balance()


@pytest.fixture(scope="module")
def hasty_books(hasty_running_floor: Floor) -> Iterator[None]:
    """Balance the other desk's books."""
    yield
    hasty_running_floor.assert_books_balance()


@pytest.fixture
def floor(running_floor: Floor, books: None) -> Iterator[Floor]:
    """The shared desk, which every flow leaves as healthy as it found it."""
    yield running_floor
    running_floor.heal()


@pytest.fixture
def hasty_floor(hasty_running_floor: Floor, hasty_books: None) -> Iterator[Floor]:
    """The hasty desk, healed after each flow."""
    yield hasty_running_floor
    hasty_running_floor.heal()
