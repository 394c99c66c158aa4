"""The trade_updates stream: who hears what, in which order, and under ordered faults."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.venue.process import Events, Trader, VenueProcess, eventually


def test_events_of_a_market_order(trader: Trader) -> None:
    with trader.stream() as events:
        order = trader.order("buy", "10")
        heard = events.take(3)
    assert [event["event"] for event in heard] == ["pending_new", "new", "fill"]
    assert {event["order"]["id"] for event in heard} == {order["id"]}
    fill = heard[2]
    assert (fill["price"], fill["qty"], fill["position_qty"]) == ("100.02", "10", "10")
    assert (fill["order"]["status"], fill["order"]["filled_qty"]) == ("filled", "10")
    executions = trader.get("/v2/account/activities/FILL")
    assert executions[0]["id"].endswith(fill["execution_id"])


def test_events_of_cancel_and_replace(trader: Trader) -> None:
    with trader.stream() as events:
        old = trader.order("buy", "1", type="limit", limit_price="90")
        events.take(2)
        new = trader.call("PATCH", f"/v2/orders/{old['id']}", {"qty": "2"}).json()
        replaced = events.take(3)
        trader.call("DELETE", f"/v2/orders/{new['id']}")
        canceled = events.take(1)[0]
    assert [(event["event"], event["order"]["id"]) for event in replaced] == [
        ("replaced", old["id"]),
        ("pending_new", new["id"]),
        ("new", new["id"]),
    ]
    assert (canceled["event"], canceled["order"]["id"]) == ("canceled", new["id"])


def test_both_forms_of_authentication_and_refusal(venue: VenueProcess, trader: Trader) -> None:
    with connect(venue.stream_url) as connection:
        events = Events(connection)
        data = {"key_id": trader.key_id, "secret_key": trader.secret}
        events.send({"action": "authenticate", "data": data})
        expected = {"status": "authorized", "action": "authenticate"}
        assert events.receive() == {"stream": "authorization", "data": expected}
    with connect(venue.stream_url) as connection:
        events = Events(connection)
        events.send({"action": "auth", "key": trader.key_id, "secret": "\ud800"})
        assert events.receive()["data"]["status"] == "unauthorized"
        with pytest.raises(ConnectionClosed):
            events.receive()


def test_listening_needs_authentication(venue: VenueProcess) -> None:
    with connect(venue.stream_url) as connection:
        events = Events(connection)
        events.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert events.receive()["data"]["status"] == "unauthorized"


def test_accounts_do_not_hear_each_other(venue: VenueProcess, trader: Trader) -> None:
    other = venue.trader()
    with trader.stream() as mine, other.stream() as theirs:
        order = other.order("buy", "1")
        assert {event["order"]["id"] for event in theirs.take(3)} == {order["id"]}
        with pytest.raises(TimeoutError):
            mine.receive(0.2)


def test_every_connection_of_an_account_hears(trader: Trader) -> None:
    with trader.stream() as one, trader.stream() as two:
        trader.order("buy", "1")
        assert [event["execution_id"] for event in one.take(3)] == [
            event["execution_id"] for event in two.take(3)
        ]


def test_events_come_in_ledger_order_under_load(venue: VenueProcess, trader: Trader) -> None:
    with trader.stream() as events:
        threads = [
            threading.Thread(target=lambda: [trader.submit("buy", "1") for _ in range(10)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard = [event["execution_id"] for event in events.take(120)]
    told = [row["execution_id"] for row in venue.ledger(trader) if row["execution_id"]]
    assert heard == told


def test_two_hundred_streams(venue: VenueProcess) -> None:
    made = venue.control("POST", "/admin/accounts", {"count": 200, "cash": 100_000})
    traders = [Trader(venue, **keys) for keys in made]
    with ExitStack() as stack:
        streams = [stack.enter_context(trader.stream()) for trader in traders]
        for trader in traders:
            trader.order("buy", "1")
        for trader, events in zip(traders, streams, strict=True):
            heard = events.take(3)
            assert heard[2]["event"] == "fill"
            assert heard[2]["order"]["id"] == trader.get("/v2/orders", status="all")[0]["id"]


def test_silence(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("stream_silence", trader)
    with trader.stream() as events:
        trader.filled("buy", "1")
        with pytest.raises(TimeoutError):
            events.receive(0.2)
        venue.control("DELETE", "/control/faults")
        trader.order("buy", "1")
        assert events.take(1)[0]["event"] == "pending_new"


def test_duplicates(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("stream_duplicate", trader)
    with trader.stream() as events:
        trader.order("buy", "1")
        executions = [event["execution_id"] for event in events.take(6)]
    assert executions[0::2] == executions[1::2]


def test_out_of_order(venue: VenueProcess, trader: Trader) -> None:
    venue.fault("stream_out_of_order", trader, count=1)
    with trader.stream() as events:
        trader.order("buy", "1")
        assert [event["event"] for event in events.take(3)] == ["new", "pending_new", "fill"]


def test_disconnect(venue: VenueProcess, trader: Trader) -> None:
    with trader.stream() as events:
        answer = venue.control("POST", "/control/streams/disconnect", {"account_id": trader.account_id})
        assert answer == {"disconnected": 1}
        with pytest.raises(ConnectionClosed):
            events.receive()
    with trader.stream() as events:
        trader.order("buy", "1")
        events.take(3)


def test_closed_streams_are_forgotten(venue: VenueProcess, trader: Trader) -> None:
    before = venue.control("GET", "/healthz")["streams"]
    with trader.stream():
        assert venue.control("GET", "/healthz")["streams"] == before + 1
    eventually(lambda: venue.control("GET", "/healthz")["streams"] == before)
