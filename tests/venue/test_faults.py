"""Faults on order: what the client sees, and what the ledger says in truth."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
import requests

from tests.venue.process import TOKEN, Trader, VenueProcess, new_id
from venue.faults import FaultError, Faults, Subject, parse_rule

POST_ORDER = {"method": "POST", "path": "/v2/orders"}


def kinds(venue: VenueProcess, trader: Trader) -> list[str]:
    return [row["kind"] for row in venue.ledger(trader)][1:]


def test_dropped_answer_of_an_accepted_order(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("drop_response_after_accepting", trader, count=1, match=POST_ORDER)
    client_order_id = new_id()
    with pytest.raises(requests.ConnectionError):
        trader.submit("buy", "1", client_order_id=client_order_id)
    found = trader.get("/v2/orders:by_client_order_id", client_order_id=client_order_id)
    trader.settled(found["id"])
    assert trader.submit("buy", "1", client_order_id=client_order_id).status_code == 422
    assert kinds(venue, trader).count("fill") == 1


def test_dropped_before_accepting(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("drop_before_accepting", trader, count=1, match=POST_ORDER)
    with pytest.raises(requests.ConnectionError):
        trader.submit("buy", "1")
    assert kinds(venue, trader) == []


def test_errors_before_and_after_accepting(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("error_before", trader, count=1, match=POST_ORDER, status=503)
    assert trader.submit("buy", "1").status_code == 503
    assert kinds(venue, trader) == []
    venue.fault("error_after", trader, count=1, match=POST_ORDER, status=504)
    assert trader.submit("buy", "1").status_code == 504
    trader.settled(trader.get("/v2/orders", status="all")[0]["id"])
    assert kinds(venue, trader) == ["accepted", "new", "fill"]


def test_rate_limit(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("rate_limit", trader, count=1, retry_after=7)
    answer = trader.submit("buy", "1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert kinds(venue, trader) == []


def test_ordered_refusal_is_in_the_ledger(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("refuse", trader, match=POST_ORDER, status=403, code=40310000, message="halted")
    answer = trader.submit("buy", "1")
    assert (answer.status_code, answer.json()) == (403, {"code": 40310000, "message": "halted"})
    assert kinds(venue, trader) == ["refused"]


@pytest.mark.parametrize("kind", ["delay_ms", "delay_after_ms"])
def test_delay(venue: VenueProcess, trader: Trader, kind: str) -> None:
    venue.fault(kind, trader, count=1, ms=150, match=POST_ORDER)
    started = time.monotonic()
    trader.order("buy", "1")
    assert time.monotonic() - started >= 0.15


def test_partial_fill_plan(venue: VenueProcess, trader: Trader) -> None:
    fills = [{"fraction": 0.35}, {"qty": "2", "delay_ms": 60}]
    venue.fault("fill_plan", trader, count=1, fills=fills, then="fill")
    with trader.stream() as events:
        trader.order("buy", "10")
        heard = events.take(5)
    assert [(event["event"], event.get("qty")) for event in heard[2:]] == [
        ("partial_fill", "3"),
        ("partial_fill", "2"),
        ("fill", "5"),
    ]
    assert heard[2]["order"]["status"] == "partially_filled"


@pytest.mark.parametrize(("then", "status"), [("cancel", "canceled"), ("rest", "partially_filled")])
def test_what_follows_a_plan(venue: VenueProcess, trader: Trader, then: str, status: str) -> None:
    venue.fault("fill_plan", trader, count=1, fills=[{"fraction": 0.5}], then=then)
    order = trader.order("buy", "10")
    assert trader.settled(order["id"], status)["filled_qty"] == "5"


def test_never_filled_order_can_be_canceled(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("never_fill", trader, count=1)
    order = trader.order("buy", "1")
    trader.settled(order["id"], "new")
    time.sleep(0.1)
    assert trader.get(f"/v2/orders/{order['id']}")["status"] == "new"
    trader.call("DELETE", f"/v2/orders/{order['id']}")
    trader.settled(order["id"], "canceled")


def test_rules_strike_whom_they_name(venue: VenueProcess, trader: Trader) -> None:
    rule = venue.fault("refuse", trader, match={"symbol": "MSFT", **POST_ORDER})
    trader.filled("buy", "1")
    assert trader.submit("buy", "1", symbol="MSFT").status_code == 403
    venue.trader().order("buy", "1", symbol="MSFT")
    listed = venue.control("GET", "/control/faults")
    assert [(found["id"], found["struck"]) for found in listed] == [(rule["id"], 1)]
    assert venue.control("DELETE", f"/control/faults/{rule['id']}") == {"cleared": 1}
    trader.order("buy", "1", symbol="MSFT")


def test_probability_is_seeded() -> None:
    def strikes(seed: str) -> list[bool]:
        faults = Faults(seed)
        faults.add(parse_rule({"match": {"probability": 0.5}, "fault": {"kind": "rate_limit"}}))
        subject = Subject(account_id=UUID(int=1))
        return [bool(faults.strike(frozenset({"rate_limit"}), subject)) for _ in range(40)]

    assert strikes("a") == strikes("a") != strikes("b")
    assert 5 < sum(strikes("a")) < 35


@pytest.mark.parametrize(
    "rule",
    [
        [],
        {"fault": {"kind": "meteor"}},
        {"match": {"color": "red"}, "fault": {"kind": "never_fill"}},
        {"fault": {"kind": "never_fill"}, "count": 0},
        {"match": {"account_id": "x"}, "fault": {"kind": "never_fill"}},
        {"fault": {"kind": "fill_plan", "fills": []}},
        {"fault": {"kind": "fill_plan", "fills": [{"qty": "1", "fraction": 1}]}},
        {"fault": {"kind": "fill_plan", "fills": [{"qty": "-1"}]}},
        {"fault": {"kind": "fill_plan", "fills": [{"qty": "1"}], "then": "explode"}},
    ],
)
def test_rules_that_make_no_sense(venue: VenueProcess, rule: Any) -> None:
    with pytest.raises(FaultError):
        parse_rule(rule)
    answer = requests.post(
        venue.url + "/control/faults", json=rule, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
    )
    assert answer.status_code == 422
