"""A broker that takes a client order id as often as it comes: what is unknown is never sent again by the desk."""

import json
import subprocess
from typing import Any

import pytest

from tests.flows.floor import Floor, Row, kill_process
from tests.flows.helpers import Trader, wait_until

OPERATOR = "resolver"


@pytest.fixture(scope="module")
def operator(running_floor: Floor) -> str:
    made = running_floor.desk.run(
        "manage.py", "createsuperuser", "--noinput", "--username", OPERATOR, "--email", "operator@example.com"
    )
    assert made.returncode == 0, made.stderr
    return OPERATOR


@pytest.fixture
def trader(floor: Floor) -> Trader:
    """A trader of class C who holds 1 AAPL, and whose worker runs."""
    trader = floor.trader("--idempotency-class", "C")
    floor.warm_up(trader)
    return trader


def resolve(floor: Floor, order: Row, *how: str) -> subprocess.CompletedProcess[str]:
    """Run the command; again while it says that the order may still be on its way."""
    command = ("manage.py", "resolve_order", str(order["id"]), *how)
    signed = (*command, "--operator", OPERATOR, "--reason", "asked the broker's desk")

    def answered() -> subprocess.CompletedProcess[str] | None:
        done = floor.desk.run(*signed)
        return None if "may still be on its way" in done.stderr else done

    return wait_until("the order can be resolved", answered, seconds=40)


def kill_sender(floor: Floor, trader: Trader) -> None:
    """Kill the trader's worker and see another take its place."""
    pid = floor.worker_pid(trader)
    kill_process(pid)

    def replaced() -> bool:
        lease = floor.lease(trader)
        return lease is not None and lease["pid"] != pid

    wait_until("another worker has taken over", replaced)


def open_items(floor: Floor, order: Row) -> list[str]:
    rows = floor.desk_rows(
        "SELECT kind FROM orders_attentionitem WHERE order_id = %s AND resolved_at IS NULL", order["id"]
    )
    return [row["kind"] for row in rows]


def send(floor: Floor, trader: Trader, **fields: Any) -> Row:
    answer = floor.send(trader, **fields)
    assert answer.status_code in (200, 202), answer.text
    return floor.order(answer.json()["id"])


def looked_up(floor: Floor, order: Row, times: int) -> Row:
    return wait_until(
        f"the order was looked up {times} times",
        lambda: row if (row := floor.order(str(order["id"])))["checks"] >= times else None,
    )


def test_the_account_takes_an_id_twice(floor: Floor, trader: Trader) -> None:
    (row,) = floor.desk_rows("SELECT broker FROM brokers_brokeraccount WHERE id = %s", trader.account_id)
    assert row["broker"] == "paper_c"


def test_an_order_whose_answer_was_lost_is_found_and_adopted_once(floor: Floor, trader: Trader) -> None:
    floor.add_fault("drop_response_after_accepting", trader)
    order = floor.wait_filled(trader, str(send(floor, trader)["id"]))
    assert (order["attempt"], open_items(floor, order)) == (1, [])


def test_an_order_that_may_have_been_sent_waits_for_an_operator(
    floor: Floor, trader: Trader, operator: str
) -> None:
    floor.add_fault("drop_before_accepting", trader)
    lost = send(floor, trader)
    behind = send(floor, trader)
    elsewhere = send(floor, trader, symbol="MSFT")
    # One of the whole would take what waits behind along.
    way_out = send(floor, trader, action="long_exit", quantity="1")
    floor.wait_filled(trader, str(elsewhere["id"]))
    floor.wait_filled(trader, str(way_out["id"]))
    lost = looked_up(floor, lost, 4)
    assert (lost["ord_status"], lost["attempt"]) == ("SUBMITTED", 1)
    assert floor.times_at_venue(trader, lost) == 0
    assert open_items(floor, lost) == ["OUTCOME_UNKNOWN"]
    assert floor.order(str(behind["id"]))["ord_status"] == "INITIALIZED"

    refused = resolve(floor, lost, "--never-sent")
    assert refused.returncode == 1
    assert f"'kill {floor.worker_pid(trader)}'" in refused.stderr
    assert floor.order(str(lost["id"]))["ord_status"] == "SUBMITTED"

    kill_sender(floor, trader)
    assert floor.order(str(behind["id"]))["ord_status"] == "INITIALIZED", (
        "it is blocked for the next worker too"
    )
    done = resolve(floor, lost, "--never-sent")
    assert (done.returncode, done.stdout) == (0, "It is DENIED.\n"), done.stderr
    lost = floor.order(str(lost["id"]))
    assert (lost["ord_status"], lost["reason"], lost["attempt"]) == ("DENIED", "NEVER_SENT", 1)
    assert open_items(floor, lost) == []
    declared = [event for event in floor.events(lost["id"]) if event["kind"] == "NeverSentDeclared"]
    assert [event["data"]["operator"] for event in declared] == [operator]
    floor.wait_filled(trader, str(behind["id"]))
    assert floor.times_at_venue(trader, lost) == 0


def test_an_exit_alarms_at_once_and_is_sent_again_by_an_operator_only(
    floor: Floor, trader: Trader, operator: str
) -> None:
    floor.add_fault("drop_before_accepting", trader)
    way_out = send(floor, trader, action="close_long")
    wait_until("the exit is on the attention list", lambda: open_items(floor, way_out), seconds=2)
    assert floor.order(str(way_out["id"]))["checks"] < 4, "it was told of after all look-ups only"
    looked_up(floor, way_out, 4)
    assert floor.times_at_venue(trader, way_out) == 0
    kill_sender(floor, trader)
    done = resolve(floor, way_out, "--never-sent", "--send-again")
    assert done.returncode == 0, done.stderr
    order = floor.wait_filled(trader, str(way_out["id"]))
    assert (order["attempt"], open_items(floor, order)) == (2, [])


def test_what_the_broker_does_not_have_is_not_adopted(floor: Floor, trader: Trader, operator: str) -> None:
    floor.add_fault("drop_before_accepting", trader)
    lost = send(floor, trader)
    asked = resolve(floor, lost, "--adopt", "11111111-2222-4333-8444-555555555555")
    assert asked.returncode == 0, asked.stderr

    def refusal() -> str:
        kinds = {event["kind"]: event for event in floor.events(lost["id"])}
        return json.dumps(kinds["AdoptRefused"]["data"]) if "AdoptRefused" in kinds else ""

    assert "the broker has no order of that id" in wait_until("the worker has looked", refusal)
    assert floor.order(str(lost["id"]))["ord_status"] == "SUBMITTED"
    kill_sender(floor, trader)
    done = resolve(floor, lost, "--never-sent")
    assert done.returncode == 0, done.stderr
