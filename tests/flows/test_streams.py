"""Push before poll, through real processes: what the stream does not tell is found, and it is opened anew."""

from __future__ import annotations

import json
import time
from decimal import Decimal

from tests.flows.floor import Floor, Row
from tests.flows.helpers import Trader, wait_until

SYMBOL = "KO"  # its price is moved by flows of one desk, one after the other
REST, MEET = "10", "9"


def place(floor: Floor, trader: Trader) -> str:
    """Place a buy of 3 that rests; return its id."""
    floor.set_price(SYMBOL, "60")
    body = {"symbol": SYMBOL, "side": "buy", "quantity": 3, "type": "limit", "price": REST}
    headers = {"Authorization": f"Bearer {trader.api_key}"}
    answer = floor.http.post("/api/v1/orders", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    order_id: str = answer.json()["id"]
    floor.wait_status(order_id, "NEW")
    return order_id


def fill_of(floor: Floor, order_id: str) -> Row:
    """Return the event of the order's only fill, once it is there."""

    def look() -> Row | None:
        return next((event for event in floor.events(order_id) if event["kind"] == "Trade"), None)

    return wait_until(f"order {order_id} is filled", look)


def settle(floor: Floor, order_id: str) -> None:
    """Let the first regular check pass, after which the next is half a minute away."""

    def look() -> bool:
        return bool(floor.order(order_id)["checks"])

    wait_until(f"order {order_id} was checked", look)


def test_a_stream_that_is_connected_and_silent_is_found_out_and_opened_anew(floor: Floor) -> None:
    trader = floor.trader("--symbols", f"{SYMBOL},AAPL")
    silent, told = place(floor, trader), place(floor, trader)
    settle(floor, silent)
    settle(floor, told)
    floor.add_fault("stream_silence", trader, count=None)
    floor.set_price(SYMBOL, MEET)
    wait_until("both are filled at the venue", lambda: len(floor.ledger(trader, "fill")) == 2)
    time.sleep(3)  # so late no stream is that is only slow
    assert floor.order(silent)["ord_status"] == "NEW"
    floor.venue("DELETE", "/control/faults")
    # The regular check of one finds it, the account's other fill comes along, and the stream is opened anew.
    floor.desk_rows("UPDATE orders_order SET next_check_at = now() WHERE id = %s", silent)
    assert fill_of(floor, silent)["source"] in ("poll", "reconciliation")
    assert fill_of(floor, told)["source"] in ("poll", "reconciliation")
    wait_until("it is found out", lambda: "the stream is silent" in floor.desk.read_log("fleet"))
    after = place(floor, trader)
    settle(floor, after)
    floor.set_price(SYMBOL, MEET)
    assert fill_of(floor, after)["source"] == "stream"
    assert floor.order(after)["cum_qty"] == Decimal(3)


def test_fills_during_an_outage_of_the_stream_are_backfilled(floor: Floor) -> None:
    trader = floor.trader("--symbols", f"{SYMBOL},AAPL")
    order_id = place(floor, trader)
    settle(floor, order_id)
    floor.add_fault("stream_silence", trader)  # the one event of this fill is lost
    floor.set_price(SYMBOL, MEET)
    wait_until("it is filled at the venue", lambda: floor.ledger(trader, "fill"))
    floor.venue("POST", "/control/streams/disconnect", {"account_id": trader.venue_account})
    assert fill_of(floor, order_id)["source"] in ("poll", "reconciliation")
    assert floor.order(order_id)["ord_status"] == "FILLED"


MEASURE = """
import json
from django.conf import settings
from orders.services.provisioning import TraderOptions, create_traders
from tradingsite.bench.resting import measure_resting
traders = create_traders(count=2, options=TraderOptions())
print(json.dumps(measure_resting(traders, 10, f"http://127.0.0.1:{settings.PORT}")))
"""


def test_fills_of_resting_orders_are_pushed_onto_their_rows(floor: Floor) -> None:
    """What the benchmark measures, on a machine that may be busy: no poll would be as fast as this."""
    done = floor.desk.run("manage.py", "shell", "--no-imports", "-c", MEASURE)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["orders"], result["filled"], result["traders"]) == (20, 20, 2)
    assert 10 < result["fills_per_second"] <= 21
    assert 0 < result["ms"]["p50"] < 250
    assert result["ms"]["max"] < 2000
