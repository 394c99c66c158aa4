"""Alerts that go well: warm, cold, many at once, the same one twice, resting, closing, signed."""

import asyncio
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx

from orders.intake.signature import sign
from tests.flows.floor import STAGES, Floor
from tests.flows.helpers import Trader, alert, descendants, wait_until

BUDGET_SECONDS = 2.5


def test_a_warm_worker_fills_an_alert_in_the_same_request(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    answer = floor.send(trader, quantity="2.5")
    assert answer.status_code == 200
    order = answer.json()
    assert (order["ord_status"], order["order_qty"], order["cum_qty"]) == ("FILLED", "2.5", "2.5")
    assert [row["client_order_id"] for row in floor.ledger(trader, "accepted")].count(order["cl_ord_id"]) == 1
    assert {event["pid"] for event in floor.events(order["id"]) if event["pid"]} == {pid}
    stages = floor.stages(order["id"])
    assert [stages[name] for name in STAGES] == sorted(stages[name] for name in STAGES)


def test_twenty_clients_with_the_same_alert_place_one_order(floor: Floor) -> None:
    trader = floor.trader()
    body = alert(trader)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: floor.post(trader, body), range(20)))
    counts = Counter(answer.status_code for answer in answers)
    assert counts[409] == 19
    assert counts[200] + counts[202] == 1
    [accepted] = [answer.json() for answer in answers if answer.status_code != 409]
    assert {answer.json()["order_id"] for answer in answers if answer.status_code == 409} == {accepted["id"]}
    floor.wait_filled(trader, accepted["id"])
    assert len(floor.ledger(trader, "accepted")) == 1


def test_ten_traders_at_once_stay_apart_and_in_order(floor: Floor) -> None:
    traders = floor.traders(10)
    answers = asyncio.run(_flood(floor, traders, 20))
    assert [answer.text for answer in answers if answer.status_code not in (200, 202)] == []
    everybodys_pids = []
    for trader in traders:
        wait_until(
            f"all orders of {trader.username} are filled",
            lambda trader=trader: {row["ord_status"] for row in floor.orders(trader)} == {"FILLED"},
            seconds=60,
        )
        orders = floor.orders(trader)
        assert len(orders) == 20
        stages = [floor.stages(order["id"]) for order in orders]
        for before, after in pairwise(stages):
            assert before["acknowledged"] <= after["sent"]
        accepted = [row["client_order_id"] for row in floor.ledger(trader, "accepted")]
        assert accepted == [order["cl_ord_id"] for order in orders]
        pids = {event["pid"] for order in orders for event in floor.events(order["id"]) if event["pid"]}
        assert len(pids) == 1
        everybodys_pids += pids
    assert len(set(everybodys_pids)) == 10


async def _flood(floor: Floor, traders: list[Trader], each: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(traders) * each)
    async with httpx.AsyncClient(
        base_url=floor.desk.url, timeout=40, trust_env=False, limits=limits
    ) as client:
        return await asyncio.gather(
            *(client.post(trader.webhook_path, json=alert(trader)) for _ in range(each) for trader in traders)
        )


def test_a_cold_trader_is_filled_in_one_request(floor: Floor) -> None:
    seconds = []
    for trader in floor.traders(10):
        time.sleep(0.3)  # the pool fills up again
        began = time.perf_counter()
        answer = floor.send(trader)
        seconds.append(time.perf_counter() - began)
        assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED")
    print(f"cold: median of {len(seconds)}: {statistics.median(seconds) * 1000:.0f} ms")


def test_without_a_pool_a_worker_is_forked_and_the_same_request_answered(hasty_floor: Floor) -> None:
    trader = hasty_floor.trader()
    answer = hasty_floor.send(trader)
    assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED")
    assert answer.elapsed.total_seconds() < BUDGET_SECONDS


def test_a_burst_for_one_cold_trader_takes_one_worker(floor: Floor) -> None:
    trader = floor.trader()
    before = len(descendants(floor.desk.pid("fleet")))
    answers = asyncio.run(_flood(floor, [trader], 30))
    assert [answer.text for answer in answers if answer.status_code not in (200, 202)] == []
    for order in floor.orders(trader):
        floor.wait_filled(trader, str(order["id"]))
    # Its own, and one that took its place in the pool, or two where the pool was just filling up.
    assert len(descendants(floor.desk.pid("fleet"))) - before <= 3


def test_at_the_most_workers_the_longest_idle_makes_room(hasty_floor: Floor) -> None:
    waiting, *others = hasty_floor.traders(7)
    hasty_floor.set_price("RST", "100")
    resting = hasty_floor.send(waiting, symbol="RST", type="limit", price="90").json()
    pid = hasty_floor.worker_pid(waiting)
    for trader in others:
        answer = hasty_floor.send(trader)
        assert answer.status_code in (200, 202)
        hasty_floor.wait_filled(trader, answer.json()["id"])
        leases = hasty_floor.desk_rows("SELECT pid FROM orders_workerlease WHERE expires_at > now()")
        assert len(leases) <= 4
    assert hasty_floor.worker_pid(waiting) == pid  # it has an order to look after and is not sent away
    hasty_floor.set_price("RST", "89")
    hasty_floor.wait_filled(waiting, resting["id"])


def test_a_limit_order_rests_and_fills_when_its_price_comes(floor: Floor) -> None:
    trader = floor.trader()
    floor.set_price("LMT", "100")
    answer = floor.send(trader, symbol="LMT", type="limit", price="90")
    order = answer.json()
    assert (answer.status_code, order["leaves_qty"]) == (200, "1")
    assert order["ord_status"] in ("PENDING_NEW", "NEW")
    floor.wait_status(order["id"], "NEW")
    floor.set_price("LMT", "89")
    filled = floor.wait_filled(trader, order["id"])
    assert filled["avg_px"] <= 90


def test_a_stop_order_waits_for_its_price(floor: Floor) -> None:
    trader = floor.trader()
    floor.set_price("STP", "100")
    answer = floor.send(trader, symbol="STP", type="stop", stop_price="110")
    order = answer.json()
    assert answer.status_code == 200
    assert order["ord_status"] not in ("FILLED", "INITIALIZED", "SUBMITTED")
    floor.set_price("STP", "111")
    floor.wait_filled(trader, order["id"])


def test_close_long_closes_the_whole_position_and_nothing_twice(floor: Floor) -> None:
    trader = floor.trader()
    assert floor.send(trader, quantity=7).json()["ord_status"] == "FILLED"
    closed = floor.send(trader, action="close_long", quantity=None)
    order = closed.json()
    assert (closed.status_code, order["ord_status"]) == (200, "FILLED")
    assert (order["side"], order["cum_qty"], order["position_effect"]) == ("SELL", "7", "CLOSE")
    again = floor.send(trader, action="close_long", quantity=None)
    assert (again.status_code, again.json()["orders"]) == (200, [])
    assert len(floor.ledger(trader, "accepted")) == 2


def test_exits_at_once_never_sell_more_than_there_is(floor: Floor) -> None:
    trader = floor.trader()
    assert floor.send(trader, quantity=10).json()["ord_status"] == "FILLED"
    with ThreadPoolExecutor(8) as threads:
        close = {"action": "close_long", "quantity": None}
        answers = list(threads.map(lambda _: floor.send(trader, **close), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    sold = [order for order in floor.orders(trader) if order["side"] == "SELL"]
    assert [order["order_qty"] for order in sold] == [10]
    floor.wait_filled(trader, str(sold[0]["id"]))


def test_an_exit_is_fresh_for_longer_than_an_entry(floor: Floor) -> None:
    trader = floor.trader()
    assert floor.send(trader, quantity=3).json()["ord_status"] == "FILLED"
    late = floor.send(trader, action="sell", order_type="exit", quantity=3, age_seconds=120)
    assert (late.status_code, late.json()["ord_status"]) == (200, "FILLED")


SET_SIGNING_KEY = """
from brokers.vault.binding import signing_binding
from brokers.vault.seal import seal
from orders.models import Strategy
strategy = Strategy.objects.get(user_id={user_id})
strategy.sealed_signing_key = seal({key!r}, signing_binding(strategy.user_id, strategy.id))
strategy.save()
"""


def test_a_signed_alert_needs_no_secret(floor: Floor) -> None:
    trader = floor.trader()
    key = b"a signing key of enough bytes"
    script = SET_SIGNING_KEY.format(user_id=trader.user_id, key=key)
    done = floor.desk.run("manage.py", "shell", "-c", script)
    assert done.returncode == 0, done.stderr
    request = httpx.Request("POST", "http://desk/", json=alert(trader, secret=None))

    def send(raw: bytes, signature: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        return floor.http.post(trader.webhook_path, content=raw, headers=headers)

    signature = sign(request.content, key)
    assert send(request.content + b" ", signature).status_code == 401
    assert send(request.content, sign(request.content, key[::-1])).status_code == 401
    answer = send(request.content, signature)
    assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED")


def test_an_order_by_api_goes_the_same_way_and_can_be_polled(floor: Floor) -> None:
    trader = floor.trader()
    headers = {"Authorization": f"Bearer {trader.api_key}", "Idempotency-Key": "flow-1"}
    body = {"symbol": "AAPL", "side": "buy", "quantity": "2"}

    def place(**changed: Any) -> httpx.Response:
        return floor.http.post("/api/v1/orders", json=body | changed, headers=headers)

    placed = place()
    order = placed.json()
    assert (placed.status_code, order["ord_status"], order["source"]) == (201, "FILLED", "api")
    repeated = place()
    assert (repeated.status_code, repeated.json()["id"]) == (200, order["id"])
    assert place(quantity="3").status_code == 409
    polled = floor.http.get(f"/api/v1/orders/{order['id']}", headers=headers)
    assert polled.status_code == 200
    assert sum(float(fill["last_qty"]) for fill in polled.json()["fills"]) == 2
    listed = floor.http.get("/api/v1/orders", headers=headers).json()
    assert [row["id"] for row in listed["results"]] == [order["id"]]
    assert floor.http.get("/api/v1/orders").status_code == 401
    assert len(floor.ledger(trader, "accepted")) == 1
