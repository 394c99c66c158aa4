"""Alerts that must not become orders: hostile bodies, the four layers, the gates, the limits."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.flows.floor import Floor
from tests.flows.helpers import Trader, alert

PROBLEM = "application/problem+json"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def trader(running_floor: Floor) -> Trader:
    """A trader whom nothing here ever gives an order."""
    return running_floor.trader("--symbols", "AAPL,MSFT")


def assert_refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["Content-Type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert {"type", "title", "detail"} <= set(problem)
    return problem


def quantity(trader: Trader, text: str) -> bytes:
    """Return an alert's bytes with the quantity spelled as it stands here."""
    return json.dumps(alert(trader, quantity="QUANTITY")).replace('"QUANTITY"', text).encode()


HOSTILE = {
    "NaN": lambda trader: quantity(trader, "NaN"),
    "Infinity": lambda trader: quantity(trader, "-Infinity"),
    "too large a number": lambda trader: quantity(trader, "1e309"),
    "too large a number as text": lambda trader: quantity(trader, '"1e309"'),
    "underscore": lambda trader: quantity(trader, '"1_0"'),
    "other digits": lambda trader: quantity(trader, '"\u0661"'),
    "zero": lambda trader: quantity(trader, "0"),
    "below zero": lambda trader: quantity(trader, "-1"),
    "too fine": lambda trader: quantity(trader, "1e-400"),
    "true as a number": lambda trader: quantity(trader, "true"),
    "duplicate keys": lambda trader: quantity(trader, '1, "quantity": 2'),
    "10 MB": lambda trader: json.dumps(alert(trader, comment="x" * 10 * MEGABYTE)).encode(),
    "70 KB": lambda trader: json.dumps(alert(trader, comment="x" * 70 * 1024)).encode(),
    "100,000 brackets": lambda trader: b"[" * 100_000,
    "60,000 brackets": lambda trader: b"[" * 60_000,
    "deep objects": lambda trader: quantity(trader, '{"a":' * 5000 + "1" + "}" * 5000),
    "invalid UTF-8": lambda trader: json.dumps(alert(trader)).encode() + b"\xff\xfe",
    "byte order mark": lambda trader: b"\xef\xbb\xbf" + json.dumps(alert(trader)).encode(),
    "half a surrogate": lambda trader: quantity(trader, '1, "comment": "\\ud800"'),
    "NUL": lambda trader: json.dumps(alert(trader, comment="a\0b")).encode(),
    "NUL in the symbol": lambda trader: json.dumps(alert(trader, symbol="AA\0PL")).encode(),
    "empty": lambda trader: b"",
    "no object": lambda trader: b"[]",
    "text": lambda trader: b"buy 1 AAPL",
    "unknown field": lambda trader: json.dumps(alert(trader, leverage=100)).encode(),
    "unknown action": lambda trader: json.dumps(alert(trader, action="hodl")).encode(),
    "no timestamp": lambda trader: json.dumps(alert(trader, timestamp=None)).encode(),
    "time without a zone": lambda trader: json.dumps(alert(trader, timestamp="2026-11-21T05:00:00")).encode(),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_body_is_refused_and_leaves_no_trace(floor: Floor, trader: Trader, case: str) -> None:
    before = floor.recorded()
    headers = {"Content-Type": "application/json"}
    answer = floor.http.post(trader.webhook_path, content=HOSTILE[case](trader), headers=headers)
    assert_refused(answer, 400, 413)
    assert floor.recorded() == before


def test_other_content_types_and_methods_are_refused(floor: Floor, trader: Trader) -> None:
    before = floor.recorded()
    raw = json.dumps(alert(trader)).encode()
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"):
        answer = floor.http.post(trader.webhook_path, content=raw, headers={"Content-Type": kind})
        assert_refused(answer, 415)
    assert assert_refused(floor.http.get(trader.webhook_path), 405)
    assert floor.http.get(trader.webhook_path).headers["Allow"] == "POST"
    assert_refused(floor.http.put(trader.webhook_path, content=raw), 405)
    assert floor.recorded() == before


def test_numbers_as_text_and_alerts_as_plain_text_are_fine(floor: Floor) -> None:
    trader = floor.trader()
    raw = json.dumps(alert(trader, quantity="10")).encode()
    headers = {"Content-Type": "text/plain; charset=utf-8"}  # what TradingView says of some bodies
    answer = floor.http.post(trader.webhook_path, content=raw, headers=headers)
    assert (answer.status_code, answer.json()["cum_qty"]) == (200, "10")


def test_the_layers_refuse_what_is_not_authentic_or_not_fresh(floor: Floor, trader: Trader) -> None:
    before = floor.recorded()
    bodies = {
        "wrong token": (trader.webhook_path[:-4] + "AAAA", alert(trader)),
        "no such token": ("/webhook/tradingview/x", alert(trader)),
        "a token that the database cannot hold": ("/webhook/tradingview/a%00b", alert(trader)),
        "a token that is no text": ("/webhook/tradingview/%ff%fe", alert(trader)),
        "a long token": ("/webhook/tradingview/" + "x" * 5000, alert(trader)),
        "wrong secret": (trader.webhook_path, alert(trader, secret="x" * 32)),
        "no secret": (trader.webhook_path, alert(trader, secret=None)),
        "two minutes old": (trader.webhook_path, alert(trader, age_seconds=120)),
        "one minute ahead": (trader.webhook_path, alert(trader, age_seconds=-60)),
        "an exit of six minutes ago": (
            trader.webhook_path,
            alert(trader, action="sell", order_type="exit", age_seconds=360),
        ),
    }
    for case, (path, body) in bodies.items():
        problem = assert_refused(floor.http.post(path, json=body), 401)
        assert trader.secret not in json.dumps(problem), case
    assert floor.recorded() == before


def test_a_secret_of_another_trader_opens_nothing(floor: Floor, trader: Trader) -> None:
    other = floor.trader()
    assert_refused(floor.post(trader, alert(other)), 401)


@pytest.mark.parametrize("option", ["--no-tos", "--unverified"])
def test_without_terms_or_a_verified_account_nothing_goes(floor: Floor, option: str) -> None:
    trader = floor.trader(option)
    before = floor.recorded()
    assert_refused(floor.send(trader), 403)
    assert_refused(floor.send(trader, action="close_long", quantity=None), 403)
    assert floor.recorded() == before


def test_a_symbol_that_is_not_allowed_is_refused(floor: Floor, trader: Trader) -> None:
    before = floor.recorded()
    problem = assert_refused(floor.send(trader, symbol="TSLA"), 403)
    assert problem["type"].endswith("symbol-not-allowed")
    assert floor.recorded() == before


def test_a_paused_strategy_takes_exits_only(floor: Floor) -> None:
    trader = floor.trader()
    assert floor.send(trader, quantity=2).json()["ord_status"] == "FILLED"
    floor.desk_rows("UPDATE orders_strategy SET paused = true WHERE user_id = %s", trader.user_id)
    before = floor.recorded()
    assert_refused(floor.send(trader), 403)
    assert floor.recorded() == before
    assert floor.send(trader, action="close_long", quantity=None).json()["ord_status"] == "FILLED"


def test_the_daily_limit_outlives_the_web_process_and_never_stops_an_exit(floor: Floor) -> None:
    trader = floor.trader("--daily-order-limit", "2")
    assert [floor.send(trader).status_code for _ in range(2)] == [200, 200]
    before = floor.recorded()
    answer = floor.send(trader)
    assert_refused(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 24 * 3600
    floor.desk.restart("web")
    assert_refused(floor.send(trader), 429)
    assert floor.recorded() == before
    closed = floor.send(trader, action="close_long", quantity=None)
    assert (closed.json()["ord_status"], closed.json()["cum_qty"]) == ("FILLED", "2")


def test_the_daily_limit_holds_when_alerts_come_at_once(floor: Floor) -> None:
    trader = floor.trader("--daily-order-limit", "5")
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: floor.send(trader), range(20)))
    counts = Counter(answer.status_code for answer in answers)
    assert (counts[429], counts[200] + counts[202]) == (15, 5)
    for order in floor.orders(trader):
        floor.wait_filled(trader, str(order["id"]))


def test_the_minute_has_a_limit_too(floor: Floor) -> None:
    trader = floor.trader("--orders-per-minute", "1")
    answers = [floor.send(trader), floor.send(trader)]
    if answers[1].status_code == 200:  # a new minute began between the two
        answers.append(floor.send(trader))
    assert answers[0].status_code == 200
    assert_refused(answers[-1], 429)
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_what_the_broker_refuses_is_answered_as_such(floor: Floor) -> None:
    trader = floor.trader("--cash", "10")
    answer = floor.send(trader, quantity=100)
    order = answer.json()
    assert (answer.status_code, order["ord_status"]) == (200, "REJECTED")
    assert order["reason"] == "INSUFFICIENT_MARGIN"
    assert order["text"].startswith(
        "The account has not enough buying power for this order. The broker says: "
    )


def test_what_the_broker_refuses_after_it_has_accepted_it_is_answered_the_same_way(floor: Floor) -> None:
    trader = floor.trader()
    floor.add_fault("reject", trader, reason="trading in asset AAPL is halted")
    answer = floor.send(trader)
    assert answer.status_code in (200, 202), answer.text
    row = floor.wait_status(answer.json()["id"], "REJECTED")
    assert row["reason"] == "HALTED"
    assert row["text"] == (
        "Trading in this symbol is halted. The broker says: trading in asset AAPL is halted."
    )
    assert (floor.times_at_venue(trader, row), row["cum_qty"]) == (1, 0)


def test_a_broker_that_asks_for_a_slower_pace_gets_it(floor: Floor) -> None:
    trader = floor.trader()
    floor.add_fault("rate_limit", trader, retry_after=3)
    answer = floor.send(trader)
    assert answer.status_code == 202
    waiting = floor.order(answer.json()["id"])
    assert (waiting["ord_status"], waiting["reason"]) == ("INITIALIZED", "RATE_LIMITED")
    assert waiting["text"] == "The broker asks for a slower pace; it is sent again in 3 s."
    row = floor.wait_filled(trader, answer.json()["id"])
    assert (row["attempt"], row["reason"], row["text"]) == (2, "", "")
    assert row["submitted_at"] <= waiting["eligible_at"]
