"""What goes to which process of a shared run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from desk.config import CHECKOUT
from tests.sharing import PIECES, PROCESSES, piece_of, pytest_xdist_auto_num_workers

FLOWS = sorted((CHECKOUT / "tests" / "flows").glob("test_*.py"))
DESKS = ("running_floor", "hasty_running_floor", "armed_running_floor")


def test_no_place_is_named_twice_and_each_is_there() -> None:
    places = [place for piece in PIECES.values() for place in piece]
    assert len(places) == len(set(places))
    assert [place for place in places if not (CHECKOUT / place).exists()] == []


def test_every_flow_has_its_piece() -> None:
    assert [path.name for path in FLOWS if piece_of(str(path.relative_to(CHECKOUT))) not in PIECES] == []


def test_what_is_not_named_is_a_piece_by_itself() -> None:
    assert piece_of("tests/flows/test_fencing.py::test_a[b::c]") == "the armed desk"
    assert piece_of("tests/pages/browser/test_looks.py::test_a") == "the browser"
    assert piece_of("tests/test_docs.py::test_a") == "tests/test_docs.py"


def test_no_desk_is_started_in_both_processes(request: pytest.FixtureRequest) -> None:
    """Of all that was collected: a desk that flows share is used by one piece only."""
    users: dict[str, set[str]] = {desk: set() for desk in DESKS}
    for other in request.session.items:
        for desk in set(DESKS) & set(getattr(other, "fixturenames", ())):
            users[desk].add(piece_of(other.nodeid))
    if not all(users.values()):
        pytest.skip("no flows in this run")
    assert {desk: pieces for desk, pieces in users.items() if len(pieces) > 1} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [(pytest.Config.ArgsSource.TESTPATHS, PROCESSES), (pytest.Config.ArgsSource.ARGS, 0)],
)
def test_only_a_run_of_everything_is_shared(source: pytest.Config.ArgsSource, expected: int) -> None:
    config = cast(pytest.Config, SimpleNamespace(args_source=source))
    assert pytest_xdist_auto_num_workers(config) == expected
