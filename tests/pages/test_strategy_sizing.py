"""How much a strategy trades: its form, how it reads, and how an order that it sizes does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from orders.models import Strategy
from tests.pages.rows import make_order, make_strategy

EMPTY = {
    "sizing_method": "FIXED",
    "default_quantity": "",
    "sizing_value": "",
    "exit_percent": "",
    "min_quantity": "",
    "max_quantity": "",
    "min_notional": "",
    "max_notional": "",
}


@pytest.fixture
def strategy(ann: User, account: BrokerAccount) -> Strategy:
    strategy = make_strategy(ann, default_quantity="2.50")
    strategy.accounts.add(account)
    return strategy


def url(strategy: Strategy) -> str:
    return f"/strategies/{strategy.pk}/sizing"


def test_the_form_shows_what_is_set(page: Client, strategy: Strategy) -> None:
    html = page.get(url(strategy)).content.decode()
    assert 'name="default_quantity" value="2.5"' in html
    assert "Risk percent of the equity, by the stop loss" in html


def test_what_is_sent_is_kept_and_told(page: Client, strategy: Strategy) -> None:
    sent = {
        "sizing_method": "RISK_PERCENT",
        "sizing_value": "1.5",
        "exit_percent": "50",
        "max_notional": "9000",
    }
    response = page.post(url(strategy), EMPTY | sent, follow=True)
    html = response.content.decode()
    assert "Breakout is sized by this from its next alert on." in html
    for said in (
        "A risk of 1.5 % of the account&#x27;s equity, by the stop loss where the alert names none",
        "Worth at most 9000",
        "50 % of the position where the alert names no quantity",
    ):
        assert said in html
    strategy.refresh_from_db()
    assert (strategy.sizing_method, strategy.sizing_value) == ("RISK_PERCENT", Decimal("1.5"))
    assert (strategy.exit_percent, strategy.max_notional) == (50, 9000)
    assert strategy.default_quantity is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"sizing_method": "CASH"}, "Give the rule an amount above zero"),
        ({"sizing_value": "5"}, "Give the rule an amount above zero"),
        ({"sizing_method": "RISK_PERCENT", "sizing_value": "101"}, "a risk of at most 100"),
        ({"exit_percent": "101"}, "at most 100 percent of the position"),
        ({"min_quantity": "0"}, "A limit is above zero."),
        ({"min_quantity": "5", "max_quantity": "4"}, "A minimum is not above its maximum."),
        ({"max_notional": "much"}, "Enter a number."),
        ({"sizing_method": "ALL_OF_IT"}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_is_told_and_not_kept(
    page: Client, strategy: Strategy, sent: dict[str, str], said: str
) -> None:
    response = page.post(url(strategy), EMPTY | {"default_quantity": "3"} | sent)
    assert response.status_code == 422
    assert said in response.content.decode()
    strategy.refresh_from_db()
    assert strategy.default_quantity == Decimal("2.5")


def test_nobody_elses_strategy(page: Client, bobs_account: BrokerAccount, client: Client) -> None:
    strategy = make_strategy(bobs_account.user)
    assert page.get(url(strategy)).status_code == 404
    assert page.post(url(strategy), EMPTY).status_code == 404


def test_only_for_who_is_signed_in(client: Client, strategy: Strategy) -> None:
    assert client.get(url(strategy))["Location"].startswith("/login/")


def test_a_strategy_without_a_rule_takes_what_the_alert_says(page: Client, ann: User) -> None:
    make_strategy(ann)
    assert "As the alert says" in page.get("/strategies/").content.decode()


# --- orders ---


@pytest.fixture
def sized(account: BrokerAccount) -> Any:
    def make(**sizing: Any) -> str:
        values = {"method": "RISK_PERCENT", "value": "1", **sizing}
        unsized = {"order_qty": Decimal(0), "ord_status": "INITIALIZED"}
        columns: dict[str, Any] = {"order_qty": Decimal(200)} if "used" in sizing else unsized
        return f"/orders/{make_order(account, sizing=values, **columns).pk}/"

    return make


def test_an_order_that_is_still_to_be_sized_shows_no_quantity(page: Client, sized: Any) -> None:
    html = page.get(sized()).content.decode()
    assert "Buy ? AAPL" in html
    assert "A risk of 1 % of the account&#x27;s equity, by the stop loss</dd>" in html


def test_an_order_tells_what_it_was_sized_by(page: Client, sized: Any) -> None:
    used = {"price": "100", "equity": "100000", "stop_distance": "5"}
    html = page.get(sized(used=used)).content.decode()
    assert "Buy 200 AAPL" in html
    assert "by the stop loss, at 100, equity 100000, stop 5 away</dd>" in html


def test_an_operator_sets_the_rule_in_the_admin(client: Client, strategy: Strategy) -> None:
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    change = f"/admin/orders/strategy/{strategy.pk}/change/"
    account = strategy.accounts.get()
    values = {"name": strategy.name, "accounts": str(account.pk), "allowed_symbols": "", "trade_style": "DAY"}
    response = client.post(change, EMPTY | values | {"sizing_method": "CASH"})
    assert "Give the rule an amount above zero" in response.content.decode()
    response = client.post(change, EMPTY | values | {"sizing_method": "CASH", "sizing_value": "500"})
    assert response.status_code == 302
    strategy.refresh_from_db()
    assert (strategy.sizing_method, strategy.sizing_value) == ("CASH", 500)
