"""Opening and closing: what waits, what expires, what sleeps; and the calendar of the exchange."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.venue.process import Trader, VenueProcess
from venue.hours import AlwaysOpen, market_hours


def session(venue: VenueProcess, state: str) -> None:
    venue.control("POST", "/control/market", {"session": state})


def test_orders_wait_for_the_open(venue: VenueProcess, trader: Trader) -> None:
    session(venue, "closed")
    assert trader.get("/v2/clock")["is_open"] is False
    order = trader.order("buy", "1")
    auction = trader.order("buy", "1", time_in_force="opg")
    assert order["status"] == auction["status"] == "accepted"
    session(venue, "open")
    trader.settled(order["id"])
    trader.settled(auction["id"])


def test_close_ends_day_orders_and_puts_the_others_to_sleep(venue: VenueProcess, trader: Trader) -> None:
    day = trader.order("buy", "1", type="limit", limit_price="90")
    gtc = trader.order("buy", "1", type="limit", limit_price="90", time_in_force="gtc")
    on_close = trader.order("buy", "1", time_in_force="cls")
    limit_on_close = trader.order("buy", "1", type="limit", limit_price="90", time_in_force="cls")
    for order in (day, gtc, on_close, limit_on_close):
        trader.settled(order["id"], "new")
    session(venue, "closed")
    trader.settled(day["id"], "expired")
    trader.settled(gtc["id"], "done_for_day")
    trader.settled(on_close["id"], "filled")
    trader.settled(limit_on_close["id"], "expired")
    session(venue, "open")
    trader.settled(gtc["id"], "new")
    venue.price("AAPL", "89.00")
    trader.settled(gtc["id"], "filled")


def test_always_open() -> None:
    hours = AlwaysOpen()
    moment = datetime(2026, 7, 4, 12, tzinfo=UTC)
    assert hours.is_open(moment)
    assert hours.next_close(moment) == datetime(2026, 7, 5, tzinfo=UTC)
    assert len(hours.sessions(date(2026, 7, 1), date(2026, 7, 4))) == 4


@pytest.mark.filterwarnings("ignore")  # of pandas, which the calendar brings along
def test_exchange_sessions() -> None:
    hours = market_hours("exchange")
    assert not hours.is_open(datetime(2026, 7, 3, 15, tzinfo=UTC))  # Independence Day, observed
    assert not hours.is_open(datetime(2026, 7, 6, 13, 29, 59, tzinfo=UTC))
    assert hours.is_open(datetime(2026, 7, 6, 13, 30, tzinfo=UTC))
    assert not hours.is_open(datetime(2026, 7, 6, 20, tzinfo=UTC))
    assert hours.next_open(datetime(2026, 7, 3, 15, tzinfo=UTC)) == datetime(2026, 7, 6, 13, 30, tzinfo=UTC)
    days = hours.sessions(date(2026, 11, 26), date(2026, 11, 27))  # Thanksgiving, and the half day after
    assert [day.day for day in days] == [date(2026, 11, 27)]
    assert days[0].closes_at == datetime(2026, 11, 27, 18, tzinfo=UTC)
