"""The scenario runner: every scenario passes, and nothing that is asserted passes when it is wrong."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from orders.conformance import Scenario, ScenarioFileError, load_scenarios, run_scenario

FIXTURES = Path(__file__).parents[1] / "fixtures"
STANDARD = load_scenarios(FIXTURES / "fix_order_states.json")
OURS = load_scenarios(FIXTURES / "order_states_more.json")


def scenario(*rows: dict[str, Any]) -> Scenario:
    return Scenario("T", rows)


def test_the_standard_scenarios_are_all_there() -> None:
    assert len(STANDARD) == 31
    assert len(OURS) >= 40


@pytest.mark.parametrize("item", STANDARD + OURS, ids=lambda item: item.ref)
def test_every_scenario_passes(item: Scenario) -> None:
    assert [str(failure) for failure in run_scenario(item).failures] == []


@pytest.mark.parametrize("item", STANDARD + OURS, ids=lambda item: item.ref)
def test_a_wrong_expectation_fails(item: Scenario) -> None:
    """Falsify each asserted field of each row in turn.

    Left out is what the machine is told and cannot contradict: ``oq`` on some rows, and a status that was
    asked for.
    """
    for index, row in enumerate(item.rows):
        if row["k"] not in "ER" or row.get("odd"):
            continue
        for name in ("ord", "cum", "leaves", "avg"):
            if row.get(name) is None or (name == "ord" and row.get("exec") == "OrderStatus"):
                continue
            wrong = copy.deepcopy(item.rows)
            if name == "ord":
                wrong[index]["ord"] = "New" if row["ord"] == "Suspended" else "Suspended"
            else:
                wrong[index][name] = row[name] + 1
            assert not run_scenario(Scenario(item.ref, wrong)).passed, (index + 1, name)


def test_a_failing_row_names_what_is_wrong_and_the_rest_still_runs() -> None:
    result = run_scenario(
        scenario(
            {"k": "D", "id": "X", "qty": 10},
            {"k": "E", "id": "X", "exec": "New", "ord": "Filled", "oq": 10, "cum": 0, "leaves": 9},
            {
                "k": "E",
                "id": "X",
                "exec": "Trade",
                "ord": "Filled",
                "oq": 10,
                "cum": 10,
                "leaves": 0,
                "last": 10,
            },
        )
    )
    assert [str(failure) for failure in result.failures] == [
        "T row 2: E New X: ord is NEW, must be FILLED; leaves is 10, must be 9"
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"k": "Q"}, "unknown kind of row"),
        ({"k": "D", "id": "X"}, "cash is missing"),
        ({"k": "D", "qty": 5}, "id is missing"),
        ({"k": "D", "id": "X", "qty": "ten"}, "qty is no number: 'ten'"),
        ({"k": "E", "id": "X", "exec": "Sold", "ord": "New"}, "exec is no ExecType: Sold"),
        ({"k": "E", "id": "X", "exec": "New", "ord": "Fine"}, "ord is no OrdStatus: Fine"),
        ({"k": "E", "id": "X", "exec": "Trade", "ord": "Filled"}, "last is missing"),
        ({"k": "E", "id": "X", "exec": "TradeCancel", "ord": "New"}, "refid is missing"),
    ],
)
def test_a_row_that_cannot_be_read_fails_its_scenario(row: dict[str, Any], message: str) -> None:
    (failure,) = run_scenario(scenario(row)).failures
    assert failure.what.endswith(message)


def test_an_odd_row_is_applied_and_not_asserted() -> None:
    rows = (
        {"k": "D", "id": "X", "qty": 10},
        {"k": "E", "id": "X", "exec": "Trade", "ord": "New", "cum": 0, "last": 4, "odd": True},
        {"k": "E", "id": "X", "exec": "New", "ord": "PartFilled", "cum": 4, "leaves": 6},
    )
    assert run_scenario(scenario(*rows)).passed


def test_a_status_request_for_an_unknown_order_touches_no_other() -> None:
    rows = (
        {"k": "D", "id": "X", "qty": 10},
        {"k": "E", "id": "X", "exec": "New", "ord": "New"},
        {"k": "S", "id": "Y"},
        {"k": "E", "id": "Y", "exec": "OrderStatus", "ord": "Rejected", "oq": 0, "cum": 0, "leaves": 0},
        {"k": "S", "id": "X"},
        {"k": "E", "id": "X", "exec": "OrderStatus", "ord": "New", "oq": 10, "cum": 0, "leaves": 10},
    )
    assert run_scenario(scenario(*rows)).passed


def test_names_are_read_in_either_spelling() -> None:
    rows = (
        {"k": "D", "id": "X", "qty": 10},
        {"k": "E", "id": "X", "exec": "Pending New", "ord": "PENDING_NEW"},
        {"k": "E", "id": "X", "exec": "TRADE", "ord": "PartiallyFilled", "last": 1},
        {"k": "E", "id": "X", "exec": "Cancelled", "ord": "CANCELED"},
    )
    assert run_scenario(scenario(*rows)).passed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"{}", "is not a list of scenarios"),
        (b"[1]", "scenario 1 is not an object with a list of rows"),
        (b'[{"rows": 1}]', "scenario 1 is not an object with a list of rows"),
        (b'[{"rows": [{"id": "X"}]}]', "scenario 1, row 1 is not an object with a kind k"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "scenarios.json"
    path.write_bytes(content)
    with pytest.raises(ScenarioFileError) as caught:
        load_scenarios(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFileError, match=r"cannot read .*: No such file or directory"):
        load_scenarios(tmp_path / "none.json")


class TestCommand:
    """``manage.py fix_conformance``: scripts read its last line and its exit code."""

    def run(self, path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
        from django.core.management import call_command

        call_command("fix_conformance", str(path))
        return capsys.readouterr().out.splitlines()

    def test_all_passed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(FIXTURES / "fix_order_states.json", capsys) == ["31 passed, 0 failed"]

    def test_a_failure_exits_with_1(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = json.loads((FIXTURES / "fix_order_states.json").read_bytes())
        data[0]["rows"][1]["leaves"] = 7
        path = tmp_path / "scenarios.json"
        path.write_text(json.dumps(data))
        with pytest.raises(SystemExit) as caught:
            self.run(path, capsys)
        assert caught.value.code == 1
        assert capsys.readouterr().out.splitlines() == [
            "A.1.a row 2: E New X: leaves is 10000, must be 7",
            "30 passed, 1 failed",
        ]

    def test_a_bad_file_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from django.core.management.base import CommandError

        with pytest.raises(CommandError, match="cannot read"):
            self.run(tmp_path / "none.json", capsys)
