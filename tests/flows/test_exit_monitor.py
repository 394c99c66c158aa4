"""Quotes, values and exit rules through real processes: the venue's price moves, the desk closes, once."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from desk.testing import running_desk
from tests.flows.armed import ArmedFloor
from tests.flows.floor import Row, kill_process
from tests.flows.helpers import wait_until

COMPONENTS = ("postgres", "redis", "venue", "web", "fleet", "sweeps", "beat")
ENVIRONMENT = {
    "FLEET_POOL_SIZE": "2",
    "FLEET_MAX_WORKERS": "16",
    "LEASE_TTL_SECONDS": "4",
    "LEASE_RENEW_SECONDS": "1",
    "LEASE_MARGIN_SECONDS": "1",
    "UNDELIVERED_SECONDS": "1",
    "SWEEP_DUE_SECONDS": "1",
    "SWEEP_VALUATION_SECONDS": "1",
    "EXIT_QUOTE_MAX_AGE_SECONDS": "4",
}
SET_RULES = """
INSERT INTO orders_exitrules (user_id, stands_alone, profit_target_pct, stop_loss_pct, trailing_pct, max_hold_minutes,
    updated_at)
VALUES (%s, false, %s, %s, %s, %s, now())
"""
SYMBOLS = iter(f"RULE{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.fixture(scope="module")
def desk_of_haste(prepared_home: Path) -> Iterator[ArmedFloor]:
    """Run a desk that values what is held every second."""
    points = Path(tempfile.mkdtemp(prefix="points-"))
    with running_desk(
        components=COMPONENTS, like=prepared_home, env=ENVIRONMENT | {"FAILPOINTS": str(points)}
    ) as desk:
        floor = ArmedFloor(desk, points)
        floor.wait_ready()
        yield floor
        floor.assert_books_balance()
        floor.close()
    shutil.rmtree(points)


@pytest.fixture
def floor(desk_of_haste: ArmedFloor) -> Iterator[ArmedFloor]:
    yield desk_of_haste
    desk_of_haste.disarm()
    desk_of_haste.forget_hits()
    desk_of_haste.heal()


class Pitch:
    """A trader who holds 10 of a symbol, bought at 100, whose price this test alone moves."""

    def __init__(self, floor: ArmedFloor, **rules: str | int) -> None:
        self.floor, self.trader, self.symbol = floor, floor.trader(), next(SYMBOLS)
        names = ("profit_target_pct", "stop_loss_pct", "trailing_pct", "max_hold_minutes")
        if rules:
            floor.desk_rows(SET_RULES, self.trader.user_id, *(rules.get(name) for name in names))
        floor.set_price(self.symbol, "100")
        answer = floor.send(self.trader, symbol=self.symbol, quantity="10")
        floor.wait_filled(self.trader, answer.json()["id"])

    def position(self) -> Row:
        query = "SELECT * FROM orders_position WHERE user_id = %s"
        return self.floor.desk_rows(query, self.trader.user_id)[0]

    def trade(self) -> Row:
        query = "SELECT * FROM orders_trade WHERE user_id = %s"
        return self.floor.desk_rows(query, self.trader.user_id)[0]

    def exits(self) -> list[Row]:
        return [row for row in self.floor.orders(self.trader) if row["source"] == "desk"]

    def alarms(self, kind: str) -> list[Row]:
        query = "SELECT * FROM orders_attentionitem WHERE user_id = %s AND kind = %s AND resolved_at IS NULL"
        return self.floor.desk_rows(query, self.trader.user_id, kind)

    def price(self, price: str) -> None:
        """Move the price, and wait until the position was valued at it, and looked at once more after that."""
        self.floor.set_price(self.symbol, price)
        wait_until(f"it is valued at {price}", lambda: self.position()["mark_px"] == Decimal(price))
        valued_at = self.position()["valued_at"]
        wait_until("it is valued again", lambda: self.position()["valued_at"] > valued_at)

    def wait_closed(self, reason: str) -> Row:
        """Wait until a rule has closed the trade; see that it did so once, and that the venue holds nothing."""
        trade = wait_until(
            f"the trade is closed by {reason}", lambda: self.trade() if self.trade()["closed_at"] else None
        )
        assert (trade["status"], trade["exit_reason"]) == ("CLOSED", reason)
        [order] = self.exits()
        assert (order["ord_status"], order["cum_qty"], order["side"]) == ("FILLED", 10, "SELL")
        assert self.floor.times_at_venue(self.trader, order) == 1
        fills = self.floor.ledger(self.trader, "fill")
        assert (
            sum(Decimal(fill["qty"]) for fill in fills if fill["client_order_id"] == order["cl_ord_id"]) == 10
        )
        return trade


def test_what_is_held_is_valued_and_the_value_goes_with_it(floor: ArmedFloor) -> None:
    pitch = Pitch(floor)
    floor.venue("POST", "/control/prices", {"symbol": pitch.symbol, "bid": "109", "ask": "111"})
    wait_until("it is valued", lambda: pitch.position()["mark_px"] == 110)
    headers = {"Authorization": f"Bearer {pitch.trader.api_key}"}
    [row] = floor.http.get("/api/v1/positions", headers=headers).json()["results"]
    assert [row[name] for name in ("mark_px", "market_value", "unrealized_pnl", "unrealized_pct")] == [
        "110",
        "1100",
        "100",
        "10",
    ]
    assert dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(row["quote_time"]) < dt.timedelta(seconds=10)
    answer = floor.send(pitch.trader, symbol=pitch.symbol, action="close_long", quantity=None)
    floor.wait_filled(pitch.trader, answer.json()["id"])
    position = pitch.position()
    assert (position["qty"], position["mark_px"], position["unrealized_pnl"]) == (0, None, None)
    assert pitch.exits() == []


def test_a_profit_target_closes_at_its_edge_and_not_before(floor: ArmedFloor) -> None:
    pitch = Pitch(floor, profit_target_pct="5", stop_loss_pct="50")
    pitch.price("104.99")
    assert pitch.exits() == []
    floor.set_price(pitch.symbol, "105")
    trade = pitch.wait_closed("PROFIT_TARGET")
    assert trade["realized_pnl"] == 50


def test_trailing_closes_from_the_best_price(floor: ArmedFloor) -> None:
    pitch = Pitch(floor, trailing_pct="10")
    for price in ("130", "120", "117.01"):
        pitch.price(price)
    assert pitch.exits() == []
    assert pitch.trade()["best_mark_px"] == 130
    floor.set_price(pitch.symbol, "117")
    assert pitch.wait_closed("TRAILING_RULE")["realized_pnl"] == 170


def test_the_longest_hold(floor: ArmedFloor) -> None:
    pitch = Pitch(floor, max_hold_minutes=60)
    since = "UPDATE orders_trade SET opened_at = now() - interval '59 minutes 54 seconds' WHERE user_id = %s"
    floor.desk_rows(since, pitch.trader.user_id)
    opened_at = pitch.trade()["opened_at"]
    pitch.wait_closed("MAX_HOLD")
    [order] = pitch.exits()
    assert (
        dt.timedelta(0) <= order["recorded_at"] - opened_at - dt.timedelta(hours=1) < dt.timedelta(seconds=10)
    )


def test_without_quotes_nothing_is_closed_until_they_come_again(floor: ArmedFloor) -> None:
    pitch = Pitch(floor, profit_target_pct="5")
    match = {"account_id": pitch.trader.venue_account, "method": "GET", "path": "/v2/stocks/quotes/latest"}
    floor.venue("POST", "/control/faults", {"match": match, "fault": {"kind": "error_before"}})
    floor.set_price(pitch.symbol, "200")
    [alarm] = wait_until("the operators are told", lambda: pitch.alarms("STALE_QUOTE"))
    assert pitch.symbol in alarm["detail"]
    assert pitch.exits() == []
    floor.venue("DELETE", "/control/faults")
    pitch.wait_closed("PROFIT_TARGET")
    wait_until("the alarm is taken back", lambda: not pitch.alarms("STALE_QUOTE"))


@pytest.mark.parametrize(
    "point",
    ["quotes.after_commit", "valuation.after_commit", "exit_rule.before_commit", "exit_rule.after_commit"],
)
def test_a_worker_that_dies_at_it_leaves_it_to_the_next(floor: ArmedFloor, point: str) -> None:
    pitch = Pitch(floor, profit_target_pct="5")
    pid = floor.worker_pid(pitch.trader)
    floor.arm(point, "kill")
    floor.set_price(pitch.symbol, "105")
    assert floor.wait_hit(point) > 0
    if floor.hits(point) != [pid]:  # another trader's worker was there before
        kill_process(pid)
    pitch.wait_closed("PROFIT_TARGET")
