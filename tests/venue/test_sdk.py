"""The real Alpaca SDK against the venue: every call that the desk may make, parsed and raw."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.venue.process import Trader, VenueProcess, eventually

# The SDK imports the websockets package's legacy client, which warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def trading_client(trader: Trader, *, raw: bool) -> Any:
    from alpaca.trading.client import TradingClient

    return TradingClient(trader.key_id, trader.secret, url_override=trader.venue.url, raw_data=raw)


@pytest.fixture(params=[False, True], ids=["parsed", "raw"])
def raw(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def client(trader: Trader, raw: bool) -> Iterator[Any]:
    made = trading_client(trader, raw=raw)
    yield made
    made._session.close()


def field(found: Any, name: str) -> str:
    """Read a field of a model or of raw data, as the text that the wire carried."""
    value = found[name] if isinstance(found, dict) else getattr(found, name)
    return str(getattr(value, "value", value))


def test_orders(client: Any, trader: Trader) -> None:
    from alpaca.trading.requests import (
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
    )

    market = MarketOrderRequest(
        symbol="AAPL", qty=2.5, side="buy", time_in_force="day", client_order_id="sdk"
    )
    order = client.submit_order(market)
    assert field(order, "status") == "pending_new"
    trader.settled(field(order, "id"))
    assert field(client.get_order_by_client_id("sdk"), "filled_qty") == "2.5"
    assert field(client.get_order_by_id(field(order, "id")), "status") == "filled"

    limit = client.submit_order(
        LimitOrderRequest(symbol="AAPL", qty=3, side="buy", time_in_force="gtc", limit_price=90.5)
    )
    trader.settled(field(limit, "id"), "new")
    new = client.replace_order_by_id(field(limit, "id"), ReplaceOrderRequest(qty=4, limit_price=91))
    assert field(new, "replaces") == field(limit, "id")
    trader.settled(field(new, "id"), "new")
    opened = client.get_orders(
        GetOrdersRequest(status="open", symbols=["AAPL"], direction="asc", nested=True)
    )
    assert [field(one, "id") for one in opened] == [field(new, "id")]
    client.cancel_order_by_id(field(new, "id"))
    assert client.get_orders() == []
    assert client.cancel_orders() == []


def test_positions_and_account(client: Any, trader: Trader) -> None:
    from alpaca.trading.requests import ClosePositionRequest

    trader.filled("buy", "10")
    assert field(client.get_open_position("AAPL"), "qty") == "10"
    assert [field(one, "symbol") for one in client.get_all_positions()] == ["AAPL"]
    half = client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    trader.settled(field(half, "id"))
    closed = client.close_all_positions(cancel_orders=True)
    assert [field(one, "symbol") for one in closed] == ["AAPL"]
    eventually(lambda: client.get_all_positions() == [])
    assert field(client.get_account(), "cash") == "99999.8"
    assert field(client.get_account_configurations(), "no_shorting") == "False"
    fills = client.get("/account/activities/FILL", {"page_size": 100, "direction": "asc"})
    assert [row["qty"] for row in fills] == ["10", "5", "5"]


def test_fill_activity_has_the_form_that_the_sdk_knows(trader: Trader) -> None:
    from alpaca.trading.models import TradeActivity

    order = trader.filled("buy", "10")
    activity = TradeActivity(**trader.get("/v2/account/activities/FILL")[0])
    assert (str(activity.order_id), activity.qty, activity.price) == (order["id"], 10.0, 100.02)


def test_clock_calendar_assets(client: Any) -> None:
    from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest

    assert field(client.get_clock(), "is_open") == "True"
    days = client.get_calendar(GetCalendarRequest(start="2026-01-01", end="2026-01-03"))
    assert [field(day, "date") for day in days] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert field(client.get_asset("AAPL"), "tradable") == "True"
    assert len(client.get_all_assets(GetAssetsRequest(status="active", asset_class="us_equity"))) > 40


def test_errors_carry_code_and_message(client: Any, trader: Trader) -> None:
    from alpaca.common.exceptions import APIError
    from alpaca.trading.requests import MarketOrderRequest

    trader.order("buy", "1", client_order_id="once")
    with pytest.raises(APIError) as caught:
        client.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=1, side="buy", time_in_force="day", client_order_id="once")
        )
    error = caught.value
    assert (error.status_code, error.code, error.message) == (422, 40010001, "client_order_id must be unique")
    with pytest.raises(APIError) as caught:
        client.get_order_by_client_id("never")
    assert (caught.value.status_code, caught.value.code) == (404, 40410000)


def test_latest_quotes(trader: Trader, raw: bool) -> None:
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockLatestQuoteRequest

    client = StockHistoricalDataClient(
        trader.key_id, trader.secret, url_override=trader.venue.url, raw_data=raw
    )
    quotes = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "MSFT"]))
    assert set(quotes) == {"AAPL", "MSFT"}
    quote = quotes["AAPL"]
    assert (field(quote, "bp" if raw else "bid_price"), field(quote, "ap" if raw else "ask_price")) == (
        "100.0",
        "100.02",
    )
    client._session.close()


def test_trading_stream(venue: VenueProcess, trader: Trader, raw: bool) -> None:
    from alpaca.trading.stream import TradingStream

    heard: list[Any] = []
    stream = TradingStream(trader.key_id, trader.secret, url_override=venue.stream_url, raw_data=raw)

    async def hear(update: Any) -> None:
        heard.append(update["data"] if raw else update)

    stream.subscribe_trade_updates(hear)
    before = venue.control("GET", "/healthz")["streams"]
    thread = threading.Thread(target=lambda: asyncio.run(stream._run_forever()))
    thread.start()
    eventually(lambda: venue.control("GET", "/healthz")["streams"] > before)
    trader.order("buy", "10")
    eventually(lambda: len(heard) == 3)
    assert [field(update, "event") for update in heard] == ["pending_new", "new", "fill"]
    assert field(heard[2], "position_qty") == ("10" if raw else "10.0")
    stream.stop()
    thread.join(10)
    assert not thread.is_alive()
