"""Positions and trades over the API: whose, which, in what form."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.test import Client

    from brokers.models import BrokerAccount

POSITIONS, TRADES = "/api/v1/positions", "/api/v1/trades"


def results(api: Client, url: str) -> list[dict[str, Any]]:
    response = api.get(url)
    assert response.status_code == 200, response.content
    rows: list[dict[str, Any]] = response.json()["results"]
    return rows


def symbols(api: Client, query: str = "") -> list[str]:
    return [row["symbol"] for row in results(api, POSITIONS + query)]


@pytest.fixture
def reversed_position(db: None) -> Client:
    """The client of a trader who bought 10 and 5 in two fills, then sold 20: 15 to close, 5 to open."""
    from django.test import Client

    from tests.factories.traders import make_desk
    from tests.factories.trips import fill_order, filled_order
    from tests.pages.rows import NOON

    desk = make_desk()
    order = filled_order(desk, "10", "100.10", "a", NOON, quantity="15")
    fill_order(order, "5", "100.25", "b", NOON + timedelta(seconds=1))
    filled_order(desk, "20", "99.5", "c", NOON + timedelta(seconds=2), action="sell")
    client = Client()
    client.force_login(desk.user)
    return client


def test_what_fills_have_made_of_a_position(reversed_position: Client) -> None:
    [position] = results(reversed_position, POSITIONS)
    assert {name: position[name] for name in position if name not in ("account", "updated_at")} == {
        "symbol": "AAPL",
        "side": "SHORT",
        "qty": "-5",
        "avg_px": "99.5",
        "cost": "-497.5",
        "realized_pnl": "-9.75",
        "fees": "0",
        "cash": "487.75",
        "mark_px": None,
        "market_value": None,
        "unrealized_pnl": None,
        "unrealized_pct": None,
        "quote_time": None,
        "valued_at": None,
    }
    assert position["updated_at"].endswith("Z")


def test_what_a_position_is_worth(reversed_position: Client) -> None:
    from orders.models import Position
    from orders.services.valuation import value_position
    from tests.factories.quotes import keep_quote

    position = Position.objects.get()
    keep_quote(position.account, "99")
    value_position(position)
    [row] = results(reversed_position, POSITIONS)
    names = ("mark_px", "market_value", "unrealized_pnl", "unrealized_pct")
    assert [row[name] for name in names] == ["99", "-495", "2.5", "0.5025"]
    assert row["quote_time"].endswith("Z")
    assert row["valued_at"] >= row["quote_time"]


def test_what_fills_have_made_of_the_journal(reversed_position: Client) -> None:
    from orders.models import Order

    bought, sold = Order.objects.order_by("id")
    opened, closed = results(reversed_position, TRADES)
    assert (closed["side"], closed["status"], closed["exit_reason"]) == ("LONG", "CLOSED", "REVERSED")
    assert (closed["entry_qty"], closed["entry_px"]) == ("15", "100.15")
    assert (closed["exit_qty"], closed["exit_px"]) == ("15", "99.5")
    assert (closed["realized_pnl"], closed["fees"], closed["net_pnl"]) == ("-9.75", "0", "-9.75")
    assert closed["opened_at"] == "2026-03-02T12:00:00.250000Z"
    assert closed["closed_at"] == "2026-03-02T12:00:02.250000Z"
    assert closed["strategy"] == str(bought.strategy_id)
    assert closed["orders"] == [
        {"id": str(bought.id), "role": "ENTRY", "qty": "15"},
        {"id": str(sold.id), "role": "EXIT", "qty": "15"},
    ]
    assert (opened["side"], opened["status"], opened["entry_qty"]) == ("SHORT", "POSITION", "5")
    assert (opened["exit_px"], opened["exit_reason"], opened["closed_at"]) == (None, None, None)
    assert opened["orders"] == [{"id": str(sold.id), "role": "ENTRY", "qty": "5"}]
    assert reversed_position.get(f"{TRADES}/{closed['id']}").json() == closed


def test_fees_are_taken_off_and_nothing_is_rounded(api: Client, account: BrokerAccount) -> None:
    from tests.pages.rows import make_trade

    trade = make_trade(account, "CLOSED", realized_pnl="10.000000000000000001", fees="0.5")
    row = api.get(f"{TRADES}/{trade.id}").json()
    assert (row["realized_pnl"], row["net_pnl"]) == ("10.000000000000000001", "9.500000000000000001")


def test_the_documented_forms_are_those_that_are_sent(api: Client, account: BrokerAccount) -> None:
    from orders.api.trade_serializers import PositionSerializer, TradeOrderSerializer, TradeSerializer
    from tests.pages.rows import make_leg, make_order, make_position, make_trade

    make_position(account)
    make_leg(make_trade(account), make_order(account))
    [position], [trade] = results(api, POSITIONS), results(api, TRADES)
    assert set(PositionSerializer().fields) == set(position)
    assert set(TradeSerializer().fields) == set(trade)
    assert set(TradeOrderSerializer().fields) == set(trade["orders"][0])


def test_open_positions_unless_all_are_asked_for(api: Client, account: BrokerAccount) -> None:
    from tests.pages.rows import make_account, make_position

    other = make_account(account.user, "Second")
    make_position(account, "AAPL")
    make_position(account, "MSFT", "0")
    make_position(other, "TSLA", "-2")
    assert symbols(api) == symbols(api, "?all=0") == ["TSLA", "AAPL"]
    assert symbols(api, "?all=1") == ["TSLA", "MSFT", "AAPL"]
    assert symbols(api, "?symbol=nasdaq:aapl") == ["AAPL"]
    assert symbols(api, "?symbol=MSFT") == []
    assert symbols(api, f"?account={account.id}&all=1") == ["MSFT", "AAPL"]
    [flat] = results(api, f"{POSITIONS}?all=1&symbol=MSFT")
    assert (flat["side"], flat["qty"], flat["avg_px"], flat["cost"]) == ("FLAT", "0", None, "0")


def test_filters_of_trades(api: Client, account: BrokerAccount) -> None:
    from tests.pages.rows import make_account, make_strategy, make_trade

    other = make_account(account.user, "Second")
    strategy = make_strategy(account.user)
    closed = make_trade(account, "CLOSED")
    ordered = make_trade(account, "ORDERED", symbol="MSFT")
    held = make_trade(other, "POSITION", strategy=strategy)
    canceled = make_trade(account, "CANCELED")
    expected = {
        "": [canceled, held, ordered, closed],
        "?status=open": [held, ordered],
        "?status=closed, CANCELED": [canceled, closed],
        "?symbol=msft": [ordered],
        f"?account={other.id}": [held],
        f"?strategy={strategy.id}": [held],
        f"?strategy={strategy.id}&status=closed": [],
    }
    for query, trades in expected.items():
        assert [row["id"] for row in results(api, TRADES + query)] == [str(one.id) for one in trades], query


@pytest.mark.parametrize(
    "query",
    [
        "positions?all=yes", "positions?all=1&all=0", "positions?status=open", "positions?symbol=",
        "positions?account=1", "positions?cursor=cD1hYmM%3D", "positions?cursor=x", "positions?limit=0",
        "trades?status=FILLED", "trades?source=api", "trades?strategy=x", "trades?cursor=cD0x", "trades?symbl=A",
    ],
)  # fmt: skip
def test_what_cannot_be_asked(api: Client, query: str) -> None:
    problem: Any = assert_problem(api.get(f"/api/v1/{query}"), 400, "invalid-query")
    name = query.partition("?")[2].partition("=")[0]
    assert [error["field"] for error in problem["errors"]] == [name]


@pytest.mark.parametrize("kind", ["positions", "trades"])
def test_pages_neither_skip_nor_repeat(api: Client, account: BrokerAccount, kind: str) -> None:
    from tests.pages.rows import make_position, make_trade

    def make(number: int) -> None:
        if kind == "trades":
            make_trade(account, "CLOSED", symbol=f"S{number}")
        else:
            make_position(account, f"S{number}")

    for number in range(5):
        make(number)
    seen: list[str] = []
    url: str | None = f"/api/v1/{kind}?limit=2"
    while url:
        body = api.get(url).json()
        seen += [row["symbol"] for row in body["results"]]
        make(len(seen) + 100)  # new ones come in meanwhile
        url = body["next"]
    assert seen == ["S4", "S3", "S2", "S1", "S0"]


def test_a_cursor_beyond_every_id_is_the_first_page(api: Client, account: BrokerAccount) -> None:
    from base64 import b64encode
    from urllib.parse import quote

    from tests.pages.rows import make_position

    make_position(account)
    cursor = quote(b64encode(b"p=" + b"9" * 30))
    assert symbols(api, f"?cursor={cursor}") == ["AAPL"]


def test_many_trades_cost_as_many_queries_as_one(
    api: Client, account: BrokerAccount, django_assert_num_queries: Any
) -> None:
    from tests.pages.rows import make_leg, make_order, make_trade

    for _ in range(5):
        make_leg(make_trade(account, "CLOSED"), make_order(account))
    with django_assert_num_queries(3):  # the key, the trades, their orders
        assert len(results(api, TRADES)) == 5


def test_what_is_not_yours_is_not_there(api: Client, bobs_account: BrokerAccount) -> None:
    from tests.pages.rows import make_position, make_trade

    make_position(bobs_account)
    his = make_trade(bobs_account)
    theirs = assert_problem(api.get(f"{TRADES}/{his.id}"), 404, "not-found")
    nobodys = assert_problem(api.get(f"{TRADES}/{bobs_account.id}"), 404, "not-found")
    assert theirs == nobodys
    assert results(api, f"{TRADES}?account={bobs_account.id}") == []
    assert symbols(api, f"?account={bobs_account.id}") == []


@pytest.mark.parametrize("url", [POSITIONS, TRADES, f"{TRADES}/0190163d-8694-739b-aea5-966c26f8ad90"])
def test_nobody_reads_without_a_key(client: Client, db: None, url: str) -> None:
    assert_problem(client.get(url), 401, "unauthorized")


@pytest.mark.parametrize("url", [POSITIONS, TRADES])
def test_nobody_writes(api: Client, url: str) -> None:
    assert_problem(api.post(url, {}), 405, "method-not-allowed")
