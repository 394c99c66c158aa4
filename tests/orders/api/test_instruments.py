"""Instruments over the API: whose brokers', found by symbol and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.test import Client

    from brokers.models import BrokerAccount

URL = "/api/v1/instruments"


@pytest.fixture
def catalogue(account: BrokerAccount) -> None:
    from tests.factories.instruments import WHOLE, keep, listing

    keep(
        account.broker,
        listing("MSFT", name="Microsoft", **WHOLE),
        listing("AAPL", name="Apple Inc."),
        listing("OLD", name="Old Apple", tradable=False),
    )
    keep("alpaca", listing("LIVE"))


def symbols(api: Client, query: str = "") -> list[str]:
    response = api.get(URL + query)
    assert response.status_code == 200, response.content
    return [row["symbol"] for row in response.json()["results"]]


def test_what_a_broker_says_of_a_symbol(api: Client, account: BrokerAccount, catalogue: None) -> None:
    [found] = api.get(f"{URL}?symbol=msft").json()["results"]
    assert found.pop("refreshed_at").endswith("Z")
    expected: dict[str, Any] = {
        "broker": account.broker,
        "symbol": "MSFT",
        "name": "Microsoft",
        "exchange": "NYSE",
        "currency": "USD",
        "ticks": [["0", "0.0001"], ["1", "0.01"]],
        "lot_step": "1",
        "short_step": "1",
        "min_qty": "1",
        "min_notional": None,
        "multiplier": "1",
        "tradable": True,
        "shortable": True,
        "fractionable": False,
        "marginable": True,
    }
    assert found == expected


def test_by_symbol_and_only_of_ones_own_brokers(api: Client, catalogue: None) -> None:
    assert symbols(api) == ["AAPL", "MSFT", "OLD"]
    assert symbols(api, "?query=apple") == ["AAPL", "OLD"]
    assert symbols(api, "?query=ms") == ["MSFT"]
    assert symbols(api, "?query=apple&tradable=1") == ["AAPL"]
    assert symbols(api, "?broker=alpaca") == []


def test_pages_go_on_where_the_last_one_ended(api: Client, catalogue: None) -> None:
    first = api.get(f"{URL}?limit=2").json()
    assert [row["symbol"] for row in first["results"]] == ["AAPL", "MSFT"]
    assert [row["symbol"] for row in api.get(first["next"]).json()["results"]] == ["OLD"]


@pytest.mark.parametrize(
    "query", ["?querry=a", "?broker=nobody", "?tradable=yes", "?query=%00", "?query=a&query=b"]
)
def test_a_query_that_cannot_be_meant(api: Client, catalogue: None, query: str) -> None:
    assert_problem(api.get(URL + query), 400, "invalid-query")


def test_only_for_who_is_signed_in(client: Client, db: None) -> None:
    assert_problem(client.get(URL), 401, "unauthorized")
