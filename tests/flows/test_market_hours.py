"""Market hours through real processes: a fresh desk knows them, an entry is held back by them, an exit never."""

import datetime as dt
from zoneinfo import ZoneInfo

import psutil

from tests.flows.floor import Floor
from tests.flows.helpers import Trader, descendants, wait_until

TAIPEI, NEW_YORK = ZoneInfo("Asia/Taipei"), ZoneInfo("America/New_York")
OVERRIDE = """
INSERT INTO orders_marketoverride (market, day, closed, opens, closes, reason, set_by_id, set_at)
VALUES (%s, %s, %s, %s, %s, 'a flow', %s, now())
"""


def close_taipei(floor: Floor, trader: Trader) -> None:
    """Have an operator's word keep Taipei closed, whatever day it is there and about to be."""
    today = dt.datetime.now(TAIPEI).date()
    for day in (today, today + dt.timedelta(days=1)):
        floor.desk_rows(OVERRIDE, "XTAI", day, True, None, None, trader.user_id)


def test_a_fresh_desk_reads_the_calendars_by_itself(floor: Floor) -> None:
    query = "SELECT market, count(*) AS days, max(closes_at) - now() AS ahead FROM orders_marketsession GROUP BY 1"
    rows = wait_until("the calendars are read", lambda: floor.desk_rows(query), seconds=60)
    assert {row["market"] for row in rows} == {"XNYS", "XTAI"}
    assert all(row["days"] > 240 and row["ahead"] > dt.timedelta(days=350) for row in rows)
    sweeps = floor.desk.pid("sweeps")
    for pid in (sweeps, *descendants(sweeps)):
        libraries = {mapped.path for mapped in psutil.Process(pid).memory_maps()}
        assert not [path for path in libraries if "/pandas/" in path], (
            "the process that swept has kept pandas"
        )


def test_an_entry_for_a_closed_market_is_refused_and_an_exit_fills(floor: Floor) -> None:
    trader = floor.trader()
    held = floor.send(trader, quantity="3")
    floor.wait_filled(trader, held.json()["id"])
    floor.desk_rows(
        "UPDATE brokers_brokeraccount SET market = 'XTAI' WHERE user_id = %s RETURNING id", trader.user_id
    )
    close_taipei(floor, trader)
    refused = floor.send(trader)
    assert refused.status_code == 200
    order = refused.json()
    assert (order["ord_status"], order["reason"]) == ("DENIED", "MARKET_CLOSED")
    assert order["text"].startswith("The Taiwan Stock Exchange is closed; it opens on ")
    assert dt.datetime.fromisoformat(order["eligible_at"]) > dt.datetime.now(dt.UTC)
    assert len(floor.ledger(trader, "accepted")) == 1
    exit_ = floor.send(trader, action="close_long", quantity=None)
    row = floor.wait_filled(trader, exit_.json()["id"])
    assert (row["cum_qty"], row["reason"]) == (3, "")


def test_an_entry_that_waits_goes_out_when_the_market_opens(floor: Floor) -> None:
    trader = floor.trader("--market", "XNYS")
    floor.desk_rows(
        "UPDATE orders_strategy SET queues_for_open = true WHERE user_id = %s RETURNING id", trader.user_id
    )
    opens_at = dt.datetime.now(NEW_YORK).replace(microsecond=0) + dt.timedelta(seconds=8)
    floor.desk_rows(
        OVERRIDE, "XNYS", opens_at.date(), False, opens_at.time(), dt.time(23, 59, 59), trader.user_id
    )
    answer = floor.send(trader)
    assert answer.status_code == 202, answer.text
    order = answer.json()
    assert (order["ord_status"], order["reason"]) == ("INITIALIZED", "MARKET_CLOSED")
    assert dt.datetime.fromisoformat(order["eligible_at"]) == opens_at
    row = floor.wait_filled(trader, order["id"], seconds=30)
    assert row["submitted_at"] >= opens_at
    assert row["submitted_at"] - opens_at < dt.timedelta(seconds=10)
    assert (row["reason"], row["text"], row["eligible_at"]) == ("", "", None)
