"""A worker that dies between the steps of a reversal leaves the rest to the next."""

from decimal import Decimal

import pytest

from tests.flows.armed import ArmedFloor
from tests.flows.test_reversals import SYMBOL, give, positions


@pytest.mark.parametrize(
    "point", ["reversal.begin.after_commit", "reversal.begin.before_commit", "submit.after_commit"]
)
def test_a_worker_that_dies_half_way_leaves_the_rest_to_the_next(
    armed_running_floor: ArmedFloor, armed_books: None, point: str
) -> None:
    floor = armed_running_floor
    floor.set_price(SYMBOL, "170")
    trader = floor.trader()
    give(floor, trader, 3)
    floor.forget_hits()
    floor.arm(point, "kill")
    try:
        answer = floor.send(trader, symbol=SYMBOL, action="short_entry", quantity=1)
        floor.wait_hit(point)
        floor.wait_filled(trader, answer.json()["id"], seconds=40)
    finally:
        floor.disarm()
    assert positions(floor, trader) == (-1, -1)
    assert [Decimal(row["qty"]) for row in floor.ledger(trader, "accepted")] == [3, 3, 1]
