"""A killed venue loses nothing that it acknowledged, and fills nothing twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
import requests

from tests.venue.process import Trader, VenueProcess, eventually, new_id
from venue.audit import differences


@pytest.fixture
def mortal(venue_database_url: str) -> Iterator[VenueProcess]:
    """A venue that may be killed; its fills are slow enough to be caught under way."""
    process = VenueProcess(venue_database_url, VENUE_TICK_MS="0", VENUE_FILL_DELAY_MS="20")
    process.start()
    yield process
    process.stop()


def test_sigkill_under_load(mortal: VenueProcess) -> None:
    made = mortal.control("POST", "/admin/accounts", {"count": 4, "cash": 1_000_000})
    traders = [Trader(mortal, **keys) for keys in made]
    acknowledged: dict[str, str] = {}
    asked: list[str] = []
    done = threading.Event()

    def send(trader: Trader) -> None:
        while not done.is_set():
            client_order_id = new_id()
            asked.append(client_order_id)
            try:
                answer = trader.submit("buy", "1", client_order_id=client_order_id)
            except requests.RequestException:
                time.sleep(0.01)
                continue
            if answer.status_code == 200:
                acknowledged[client_order_id] = answer.json()["id"]

    threads = [threading.Thread(target=send, args=(trader,)) for trader in traders]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.4)
        mortal.kill()
        mortal.start()
    time.sleep(0.3)
    done.set()
    for thread in threads:
        thread.join()
    assert len(acknowledged) > 30

    for trader in traders:
        eventually(lambda trader=trader: trader.get("/v2/orders") == [], 20)
    rows = [row for trader in traders for row in mortal.ledger(trader)]
    accepted = {row["client_order_id"]: row["order_id"] for row in rows if row["kind"] == "accepted"}
    assert acknowledged.items() <= accepted.items()
    assert set(accepted) <= set(asked)
    fills = Counter(row["order_id"] for row in rows if row["kind"] == "fill")
    assert fills == Counter(accepted.values())
    held = sum(int(trader.get("/v2/positions/AAPL")["qty"]) for trader in traders)
    assert held == len(accepted)
    assert differences(mortal.database_url) == []


def test_resting_orders_plans_and_prices_go_on(mortal: VenueProcess) -> None:
    trader = mortal.trader()
    mortal.price("AAPL", "100.00")
    resting = trader.order("buy", "1", type="limit", limit_price="90", time_in_force="gtc")
    mortal.fault("fill_plan", trader, count=1, fills=[{"qty": "1"}, {"qty": "2", "delay_ms": 400}])
    planned = trader.order("buy", "3")
    trader.settled(planned["id"], "partially_filled")
    mortal.kill()
    mortal.start()
    assert trader.settled(planned["id"])["filled_qty"] == "3"
    assert [row["qty"] for row in mortal.ledger(trader) if row["kind"] == "fill"] == ["1", "2"]
    assert trader.get("/v2/stocks/AAPL/quotes/latest")["quote"]["ap"] == 100.0
    mortal.price("AAPL", "89.00")
    assert trader.settled(resting["id"])["filled_avg_price"] == "89"


def test_database_connections_cut_under_load(mortal: VenueProcess) -> None:
    """An answer that was lost with its connection is unknown to the client, never wrong in the ledger."""
    trader = mortal.trader(cash=1_000_000)
    acknowledged = []
    for number in range(60):
        answer = trader.submit("buy", "1")
        assert answer.status_code in (200, 503)
        if answer.status_code == 200:
            acknowledged.append(answer.json()["id"])
        if number % 15 == 7:
            with psycopg.connect(mortal.database_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
    eventually(lambda: trader.call("GET", "/v2/orders").json() == [], 20)
    fills = Counter(row["order_id"] for row in mortal.ledger(trader) if row["kind"] == "fill")
    assert set(acknowledged) <= set(fills) and set(fills.values()) == {1}
    assert differences(mortal.database_url) == []


def test_second_venue_on_one_database_does_not_start(mortal: VenueProcess) -> None:
    second = VenueProcess(mortal.database_url, VENUE_TAKEOVER_SECONDS="0.5")
    with pytest.raises(AssertionError, match="ended while it started"):
        second.start()
    assert requests.get(mortal.url + "/healthz", timeout=5).json()["status"] == "ok"
