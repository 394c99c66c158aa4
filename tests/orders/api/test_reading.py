"""Lists, filters, pages, one order; and that nobody sees what is another's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.test import Client

    from brokers.models import BrokerAccount

ORDERS = "/api/v1/orders"


def ids_of(api: Client, query: str = "") -> list[str]:
    response = api.get(ORDERS + query)
    assert response.status_code == 200, response.content
    return [order["id"] for order in response.json()["results"]]


def test_lists_the_own_orders_newest_first(
    api: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    from orders.rendering import order_json
    from tests.pages.rows import make_order

    first, second = make_order(account), make_order(account, "NEW", cum_qty="2.5")
    make_order(bobs_account)
    body = api.get(ORDERS).json()
    assert body == {"next": None, "previous": None, "results": [order_json(second), order_json(first)]}
    assert body["results"][0]["cum_qty"] == "2.5"


def test_the_documented_order_is_the_order_that_is_sent(api: Client, account: BrokerAccount) -> None:
    from orders.api.serializers import OrderDetailSerializer, OrderSerializer
    from tests.pages.rows import make_order

    order = make_order(account)
    assert set(OrderSerializer().fields) == set(api.get(ORDERS).json()["results"][0])
    assert set(OrderDetailSerializer().fields) == set(api.get(f"{ORDERS}/{order.id}").json())


def test_filters(api: Client, account: BrokerAccount) -> None:
    from tests.pages.rows import NOON, make_account, make_order, make_strategy

    other = make_account(account.user, "Second")
    strategy = make_strategy(account.user)
    filled = make_order(account)
    resting = make_order(account, "NEW", symbol="MSFT", ord_type="LIMIT", price="5", source="api")
    late = make_order(other, "CANCELED", strategy=strategy, received_at=NOON + timedelta(hours=1))
    expected = {
        "?status=FILLED": [filled],
        "?status=filled, canceled": [late, filled],
        "?status=open": [resting],
        "?symbol=msft": [resting],
        "?symbol=NASDAQ:MSFT": [resting],
        f"?account={other.id}": [late],
        f"?strategy={strategy.id}": [late],
        "?source=api": [resting],
        f"?cl_ord_id={filled.cl_ord_id}": [filled],
        "?since=2026-03-02T13:00:00Z": [late],
        "?until=2026-03-02T13:00:00Z": [resting, filled],
        "?since=2026-03-02T13:00:00%2B01:00&symbol=AAPL": [late, filled],
        "?symbol=TSLA": [],
    }
    for query, orders in expected.items():
        assert ids_of(api, query) == [str(order.id) for order in orders], query


@pytest.mark.parametrize(
    "query",
    [
        "status=DONE", "symbol=", "symbol=A%00B", "account=1", "account=a&account=b", "source=fax", "since=today",
        "since=2026-03-02T13:00:00", "cl_ord_id=%00", "stauts=FILLED", "limit=0", "limit=201", "limit=x",
        "limit=%D9%A1", "cursor=x", "cursor=cD1hYmM%3D", "cursor=cD0A", "cursor=%FF",
    ],
)  # fmt: skip
def test_what_cannot_be_asked(api: Client, query: str) -> None:
    problem: Any = assert_problem(api.get(f"{ORDERS}?{query}"), 400, "invalid-query")
    name = query.partition("=")[0]
    assert [error["field"] for error in problem["errors"]] == [name]


def test_pages_neither_skip_nor_repeat(api: Client, account: BrokerAccount) -> None:
    from tests.pages.rows import make_order

    orders = [str(make_order(account).id) for _ in range(5)]
    seen: list[str] = []
    url: str | None = f"{ORDERS}?limit=2&symbol=AAPL"
    while url:
        body = api.get(url).json()
        seen += [order["id"] for order in body["results"]]
        make_order(account)  # new ones come in meanwhile
        url = body["next"]
    assert seen == orders[::-1]


def test_one_order_with_its_fills_and_timeline(api: Client, account: BrokerAccount) -> None:
    from tests.pages.rows import make_event, make_fill, make_order

    order = make_order(account)
    make_fill(order, "4", "187.1", exec_id="one")
    make_fill(order, "6", "187.5", exec_id="two")
    make_event(order, "Recorded", stages={"received": 0, "recorded": 4})
    make_event(order, "Trade", ms=20, worker="w1", pid=77, epoch=3, data={"exec_id": "one"})
    body = api.get(f"{ORDERS}/{order.id}").json()
    assert [(fill["exec_id"], fill["last_qty"], fill["last_px"]) for fill in body["fills"]] == [
        ("one", "4", "187.1"),
        ("two", "6", "187.5"),
    ]
    assert [event["kind"] for event in body["events"]] == ["Recorded", "Trade"]
    assert list(body["events"][0]["stages"]) == ["received", "recorded"]
    assert body["events"][1]["worker"] == "w1"
    assert body["events"][1]["pid"] == 77
    assert body["events"][1]["epoch"] == 3


def test_what_is_not_yours_is_not_there(api: Client, bobs_account: BrokerAccount) -> None:
    from tests.pages.rows import make_order

    his = make_order(bobs_account)
    theirs = assert_problem(api.get(f"{ORDERS}/{his.id}"), 404, "not-found")
    nobodys = assert_problem(api.get(f"{ORDERS}/{bobs_account.id}"), 404, "not-found")
    assert theirs == nobodys
    assert ids_of(api, f"?account={bobs_account.id}") == []


def test_accounts_and_strategies_without_their_secrets(
    api: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    from tests.pages.rows import make_strategy

    strategy = make_strategy(account.user, allowed_symbols=["AAPL"], token="public-and-a-secret-rest")
    strategy.accounts.add(account)
    make_strategy(bobs_account.user)
    accounts = api.get("/api/v1/accounts")
    assert [row["id"] for row in accounts.json()["results"]] == [str(account.id)]
    assert accounts.json()["results"][0]["verified"] is True
    strategies = api.get("/api/v1/strategies")
    [row] = strategies.json()["results"]
    assert row["name"] == "Breakout"
    assert row["accounts"] == [str(account.id)]
    assert row["allowed_symbols"] == ["AAPL"]
    assert row["token_prefix"] == "public"
    text = accounts.content + strategies.content
    assert b"sealed" not in text
    assert b"secret" not in text


@pytest.mark.parametrize("path", ["", "nothing", "orders/1", "orders/x/cancel", "orders//", "trades/1"])
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_no_such_address(client: Client, path: str, method: str) -> None:
    assert_problem(getattr(client, method)(f"/api/v1/{path}"), 404, "not-found")


@pytest.mark.parametrize("path", ["orders", "orders/", "positions", "trades/", "accounts", "strategies"])
def test_the_slash_makes_no_difference_and_other_methods_are_refused(api: Client, path: str) -> None:
    assert api.get(f"/api/v1/{path}").status_code == 200
    response = api.delete(f"/api/v1/{path}")
    assert_problem(response, 405, "method-not-allowed")
    assert "GET" in response["Allow"]


def test_another_form_than_json_is_refused(api: Client) -> None:
    assert_problem(api.get(ORDERS, headers={"Accept": "text/csv"}), 406, "not-acceptable")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_down_is_503(api: Client, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    from django.db import OperationalError

    from orders.api import authentication

    def down(text: str) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(authentication, "_find", down)
    response = getattr(api, method)(ORDERS)
    assert_problem(response, 503, "service-unavailable")
    assert int(response["Retry-After"]) > 0


def test_the_schema_is_public_and_describes_what_there_is(client: Client) -> None:
    response = client.get("/api/v1/schema", headers={"Accept": "application/json"})
    schema = json.loads(response.content)
    assert set(schema["paths"]) == {
        "/api/v1/orders", "/api/v1/orders/{order_id}", "/api/v1/accounts", "/api/v1/instruments", "/api/v1/strategies",
        "/api/v1/orders/{order_id}/cancel", "/api/v1/orders/{order_id}/replace",
        "/api/v1/positions", "/api/v1/trades", "/api/v1/trades/{trade_id}",
        "/api/v1/reconciliations", "/api/v1/accounts/{account_id}/reconcile", "/api/v1/flatten",
    }  # fmt: skip
    assert set(schema["paths"]["/api/v1/orders"]) == {"get", "post"}


def test_the_schema_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    call_command("spectacular", validate=True, fail_on_warn=True)
    assert "openapi: 3" in capsys.readouterr().out


def test_who_does_not_trade_has_nothing(client: Client, db: None) -> None:
    from django.contrib.auth.models import User

    client.force_login(User.objects.create(username="auditor"))
    assert ids_of(client) == []
