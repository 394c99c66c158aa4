"""Assets as Alpaca lists them, and as the paper exchange does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca.adapter import AlpacaAdapter
from brokers.alpaca.instruments import parse_instrument
from brokers.alpaca.values import UnreadableFact
from brokers.registry import AdapterOptions, open_adapter
from brokers.ticks import tick_at
from brokers.types import InstrumentReport
from tests.fixtures.scripted_http import ScriptedServer, answer
from tests.fixtures.venue_process import VenueProcess


def asset(**changes: Any) -> dict[str, Any]:
    """Return an asset in the form of Alpaca's API reference."""
    return {
        "id": "904837e3-3b76-47ec-b432-046db621571b",
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": "AAPL",
        "name": "Apple Inc. Common Stock",
        "status": "active",
        "tradable": True,
        "marginable": True,
        "shortable": True,
        "easy_to_borrow": True,
        "fractionable": True,
        "attributes": [],
        **changes,
    }


def test_a_fractionable_share() -> None:
    report = parse_instrument(asset())
    assert (report.symbol, report.name) == ("AAPL", "Apple Inc. Common Stock")
    assert (report.exchange, report.currency, report.multiplier) == ("NASDAQ", "USD", 1)
    assert report.lot_step == report.min_qty == Decimal("0.000000001")
    assert (report.short_step, report.min_notional) == (1, 1)
    assert tick_at(report.ticks, Decimal("0.99")) == Decimal("0.0001")
    assert tick_at(report.ticks, Decimal(1)) == Decimal("0.01")
    assert report.tradable and report.shortable and report.fractionable and report.marginable


def test_a_share_that_goes_whole_only() -> None:
    report = parse_instrument(asset(fractionable=False, shortable=False, marginable=False))
    assert (report.lot_step, report.min_qty, report.min_notional) == (1, 1, None)
    assert not report.shortable and not report.marginable


@pytest.mark.parametrize("changes", [{"tradable": False}, {"status": "inactive"}])
def test_what_is_not_to_be_traded(changes: dict[str, Any]) -> None:
    assert not parse_instrument(asset(**changes)).tradable


@pytest.mark.parametrize(
    "changes", [{"symbol": ""}, {"symbol": "X" * 33}, {"tradable": "yes"}, {"fractionable": None}]
)
def test_what_cannot_be_read(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableFact):
        parse_instrument(asset(**changes))


def test_a_strange_asset_does_not_hide_the_others(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(200, [asset(), asset(symbol="ODD", tradable=1), asset(symbol="MSFT")]))
    assert [report.symbol for report in adapter.list_instruments()] == ["AAPL", "MSFT"]
    line = server.requests[0].line
    assert "/v2/assets?" in line and "status=active" in line and "asset_class=us_equity" in line


# --- against a real venue ---


def listed(venue: VenueProcess) -> dict[str, InstrumentReport]:
    account = venue.create_account()
    keys = {"key_id": account["key_id"], "secret": account["secret"]}
    adapter = open_adapter("paper", keys, AdapterOptions(venue_url=venue.base_url))
    try:
        return {report.symbol: report for report in adapter.list_instruments()}
    finally:
        adapter.close()


def test_the_venue_lists_what_is_well_known_and_nothing_that_was_only_traded(venue: VenueProcess) -> None:
    before = listed(venue)
    assert len(before) > 50
    assert before["AAPL"].name == "Apple Inc. Common Stock"
    assert before["BRK.B"].exchange == "NYSE"
    venue.set_price("ZZQ", "12.34")
    assert listed(venue) == before


def test_the_venue_tells_what_of_a_share_is_allowed(venue: VenueProcess) -> None:
    flags = {"tradable": False, "shortable": False, "fractionable": False, "marginable": False}
    venue.request("POST", "/control/assets", {"symbol": "GE", **flags})
    venue.request("POST", "/control/assets", {"symbol": "GS", "active": False})
    try:
        found = listed(venue)
    finally:
        venue.request("POST", "/control/assets", {"symbol": "GE", **dict.fromkeys(flags, True)})
        venue.request("POST", "/control/assets", {"symbol": "GS", "active": True})
    ge = found["GE"]
    assert not (ge.tradable or ge.shortable or ge.fractionable or ge.marginable)
    assert ge.lot_step == 1
    assert "GS" not in found
