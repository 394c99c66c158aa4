"""What happens behind a desk's back is seen, recorded and counted, whoever dies meanwhile; through real processes."""

import datetime as dt
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from desk.testing import running_desk
from tests.flows.armed import ArmedFloor
from tests.flows.conftest import COMPONENTS
from tests.flows.floor import Row
from tests.flows.helpers import Trader, wait_until

ENVIRONMENT = {
    "FLEET_POOL_SIZE": "2",
    "FLEET_MAX_WORKERS": "16",
    "LEASE_TTL_SECONDS": "4",
    "LEASE_RENEW_SECONDS": "1",
    "LEASE_MARGIN_SECONDS": "1",
    "SWEEP_DUE_SECONDS": "1",
    "SWEEP_ORPHANS_SECONDS": "1",
    "SWEEP_RECONCILE_SECONDS": "1",
    "RECONCILE_AGAIN_SECONDS": "1",
}
RUNS = "SELECT * FROM orders_reconciliationrun WHERE user_id = %s AND finished_at IS NOT NULL ORDER BY id"
FINDINGS = "SELECT * FROM orders_reconciliationfinding WHERE user_id = %s ORDER BY id"
HALTS = "SELECT 1 FROM orders_accounthalt WHERE user_id = %s AND lifted_at IS NULL"
DYING_AT = (
    "reconcile.asked_for",
    "reconcile.before",
    "reconcile.read",
    "reconcile.begin.before_commit",
    "reconcile.begin.after_commit",
    "reconcile.outside.before_commit",
    "reconcile.outside.after_commit",
    "reconcile.exit.before_commit",
    "reconcile.exit.after_commit",
    "reconcile.finish.before_commit",
    "reconcile.finish.after_commit",
)


@pytest.fixture(scope="module")
def running_desk_of_books(prepared_home: Path) -> Iterator[ArmedFloor]:
    """Run a desk that compares when asked to, and looks soon whether anything is due."""
    points = Path(tempfile.mkdtemp(prefix="points-"))
    with running_desk(
        components=COMPONENTS, like=prepared_home, env=ENVIRONMENT | {"FAILPOINTS": str(points)}
    ) as desk:
        floor = ArmedFloor(desk, points)
        floor.wait_ready()
        yield floor
        floor.close()
    shutil.rmtree(points)


@pytest.fixture
def floor(running_desk_of_books: ArmedFloor) -> Iterator[ArmedFloor]:
    yield running_desk_of_books
    running_desk_of_books.disarm()
    running_desk_of_books.heal()


def outside(floor: ArmedFloor, trader: Trader, **order: object) -> Row:
    """Have somebody else place an order in the trader's account."""
    body = {"account_id": trader.venue_account, "symbol": "AAPL", "time_in_force": "gtc", "type": "market"}
    placed: Row = floor.venue("POST", "/control/orders", body | order)
    return placed


def holding(floor: ArmedFloor, qty: str, price: str = "100") -> Trader:
    trader = floor.trader()
    floor.set_price("AAPL", price)
    floor.wait_filled(trader, floor.send(trader, quantity=qty).json()["id"])
    return trader


def trade_of(floor: ArmedFloor, trader: Trader) -> Row:
    (trade,) = floor.desk_rows("SELECT * FROM orders_trade WHERE user_id = %s", trader.user_id)
    return trade


def position(floor: ArmedFloor, trader: Trader) -> Decimal:
    (row,) = floor.desk_rows("SELECT qty FROM orders_position WHERE user_id = %s", trader.user_id)
    return Decimal(row["qty"])


def ask_to_compare(floor: ArmedFloor, trader: Trader) -> None:
    """Have the account compared now, over the API."""
    headers = {"Authorization": f"Bearer {trader.api_key}"}
    answer = floor.http.post(f"/api/v1/accounts/{trader.account_id}/reconcile", headers=headers)
    assert answer.status_code == 202, answer.text


def compare(floor: ArmedFloor, trader: Trader) -> Row:
    """Have the account compared, and return a run that has begun since: one may have been under way."""
    asked_at = dt.datetime.now(dt.UTC)
    ask_to_compare(floor, trader)

    def begun_since() -> list[Row]:
        return [run for run in floor.desk_rows(RUNS, trader.user_id) if run["started_at"] > asked_at]

    return wait_until("the account is compared", begun_since)[-1]


def assert_closed(floor: ArmedFloor, trader: Trader, pnl: int) -> None:
    wait_until("the position is closed", lambda: trade_of(floor, trader)["status"] == "CLOSED", seconds=40)
    trade = trade_of(floor, trader)
    assert (trade["exit_reason"], trade["realized_pnl"]) == ("MANUAL_EXIT", pnl)
    assert position(floor, trader) == 0


def assert_balanced(floor: ArmedFloor) -> None:
    """Have the operators' command compare every order, position and cash with the venue's ledger."""
    done = floor.desk.run("manage.py", "ledger_check", "--json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_position_closed_behind_our_back_is_closed_here(floor: ArmedFloor) -> None:
    trader = holding(floor, "10")
    stop = floor.send(trader, action="close_long", quantity=None, type="stop", stop_price="50").json()
    floor.wait_status(stop["id"], "NEW", "PENDING_NEW")
    floor.set_price("AAPL", "104.5")
    body = {"account_id": trader.venue_account, "symbol": "AAPL"}
    floor.venue("POST", "/control/positions/close", body)
    assert_closed(floor, trader, 45)
    floor.wait_status(stop["id"], "CANCELED")
    external = floor.desk_rows(
        "SELECT * FROM orders_order WHERE user_id = %s AND source = 'external'", trader.user_id
    )
    assert [(row["ord_status"], row["avg_px"], row["exit_reason"]) for row in external] == [
        ("FILLED", Decimal("104.5"), "MANUAL_EXIT")
    ]
    kinds = [row["kind"] for row in floor.desk_rows(FINDINGS, trader.user_id)]
    assert "EXTERNAL_ORDER" in kinds
    assert_balanced(floor)


def test_what_the_silent_stream_did_not_tell_is_found_by_one_comparison(floor: ArmedFloor) -> None:
    trader = holding(floor, "10")
    resting = floor.send(trader, type="limit", price="90", quantity="3").json()
    floor.wait_status(resting["id"], "NEW")
    compare(floor, trader)
    floor.add_fault("stream_silence", trader, count=None)
    outside(floor, trader, side="buy", qty="5", client_order_id=str(uuid.uuid4()))
    floor.set_price("AAPL", "89")
    wait_until("the venue fills both", lambda: len(floor.ledger(trader, "fill")) == 3)
    run = compare(floor, trader)
    assert run["is_settled"]
    assert position(floor, trader) == 18
    assert floor.order(resting["id"])["ord_status"] == "FILLED"
    before = floor.desk_rows("SELECT count(*) FROM orders_execution WHERE user_id = %s", trader.user_id)
    findings = floor.desk_rows(FINDINGS, trader.user_id)
    compare(floor, trader)
    assert floor.desk_rows(FINDINGS, trader.user_id) == findings, "a second run changes nothing"
    after = floor.desk_rows("SELECT count(*) FROM orders_execution WHERE user_id = %s", trader.user_id)
    assert before == after
    assert_balanced(floor)


def test_a_worker_may_die_anywhere_in_it(floor: ArmedFloor) -> None:
    """Each point kills once, in whatever worker passes it; the next one goes on, and nothing is booked twice."""
    for point in DYING_AT:
        floor.arm(point, "kill")
    for _ in range(3):
        trader = holding(floor, "10")
        stop = floor.send(trader, action="close_long", quantity=None, type="stop", stop_price="50").json()
        floor.wait_status(stop["id"], "NEW", "PENDING_NEW", seconds=60)
        floor.set_price("AAPL", "101")
        body = {"account_id": trader.venue_account, "symbol": "AAPL"}
        floor.venue("POST", "/control/positions/close", body)
        assert_closed(floor, trader, 10)
        floor.wait_status(stop["id"], "CANCELED", seconds=60)
    assert floor.disarm() == []
    compare(floor, trader)
    assert_balanced(floor)


def test_what_nothing_explains_is_booked_at_the_second_look(floor: ArmedFloor) -> None:
    trader = holding(floor, "10")
    compare(floor, trader)
    body = {"account_id": trader.venue_account, "symbol": "AAPL", "side": "buy", "qty": "2", "price": "100"}
    floor.venue("POST", "/control/positions/journal", body)
    compare(floor, trader)
    wait_until("it is booked", lambda: position(floor, trader) == 12, seconds=40)
    wait_until("its halt is over", lambda: not floor.desk_rows(HALTS, trader.user_id), seconds=40)
    (booked,) = floor.desk_rows(
        "SELECT * FROM orders_order WHERE user_id = %s AND source = 'external'", trader.user_id
    )
    assert (booked["reason"], booked["cum_qty"], booked["avg_px"]) == ("RECONCILED", 2, 100)
    # What a slow machine tells late is a finding besides.
    differences = [
        row for row in floor.desk_rows(FINDINGS, trader.user_id) if row["kind"] == "POSITION_DIFFERS"
    ]
    assert [(row["ours"], row["theirs"]) for row in differences] == [("10 at 100", "12 at 100")]
    assert differences[0]["resolved_at"] is not None
    floor.wait_filled(trader, floor.send(trader, quantity="1").json()["id"])  # entries go on
    assert_balanced(floor)


def test_a_split_halts_entries_and_no_exit(floor: ArmedFloor) -> None:
    trader = floor.trader()
    floor.set_price("NFLX", "100")
    entry = floor.send(trader, symbol="NFLX", quantity="4").json()
    floor.wait_filled(trader, entry["id"])
    floor.venue("POST", "/control/splits", {"symbol": "NFLX", "old": 1, "new": 2})
    compare(floor, trader)
    (finding,) = floor.desk_rows(FINDINGS, trader.user_id)
    assert (finding["kind"], finding["ours"], finding["theirs"]) == (
        "CORPORATE_ACTION",
        "4 at 100",
        "8 at 50",
    )
    refused = floor.send(trader, symbol="AAPL").json()
    assert (refused["ord_status"], refused["reason"]) == ("DENIED", "DRIFT_HALT")
    exit_ = floor.send(trader, symbol="NFLX", action="close_long", quantity=None).json()
    floor.wait_filled(trader, exit_["id"])
