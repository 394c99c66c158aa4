"""The strategies page: webhooks, what to paste, the switch, and the latest signals."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from orders.intake.alert import parse_alert
from orders.intake.operation import Operation
from orders.models import Strategy
from orders.views.strategies import alert_message
from tests.pages.rows import make_order, make_signal, make_strategy, make_trader

URL = "/strategies/"
AS_TRADINGVIEW_FILLS_IT = {
    "{{strategy.order.action}}": "sell",
    "{{ticker}}": "AAPL",
    "{{strategy.order.contracts}}": "12.5",
    "{{timenow}}": "2026-03-02T14:30:00Z",
    "{{time}}": "2026-03-02T14:29:00Z",
    "{{strategy.order.id}}": "Long",
    "{{strategy.position_size}}": "-12.5",
    "{{strategy.market_position}}": "short",
    "{{strategy.prev_market_position}}": "flat",
    "{{strategy.order.comment}}": "",
}


def test_it_shows_the_webhook_and_what_it_trades(
    page: Client, ann: User, account: BrokerAccount, settings: Any
) -> None:
    settings.BASE_URL = "https://desk.example.org"
    strategy = make_strategy(ann, token="abc123", allowed_symbols=["AAPL", "MSFT"], default_quantity="2.50")
    strategy.accounts.add(account)
    html = page.get(URL).content.decode()
    for said in ("https://desk.example.org/webhook/tradingview/abc123", ">MSFT<", "Paper", "2.5 where"):
        assert said in html
    assert "YOUR-SECRET" in html


def test_a_trader_sees_no_strategy_and_no_signal_of_another(
    page: Client, bobs_account: BrokerAccount
) -> None:
    make_signal(make_strategy(bobs_account.user, "Secret sauce", token="bobs-token"), symbol="TSLA")
    html = page.get(URL).content.decode()
    assert "No strategies so far" in html
    for foreign in ("Secret sauce", "bobs-token", "TSLA"):
        assert foreign not in html


def test_pause_and_resume(page: Client, ann: User) -> None:
    strategy = make_strategy(ann)
    response = page.post(f"{URL}{strategy.pk}/pause", follow=True)
    assert "Breakout is paused" in response.content.decode()
    assert ">Resume" in response.content.decode()
    strategy.refresh_from_db()
    assert strategy.paused
    page.post(f"{URL}{strategy.pk}/pause")
    page.post(f"{URL}{strategy.pk}/resume")
    strategy.refresh_from_db()
    assert not strategy.paused


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_another_traders_strategy_cannot_be_switched(page: Client, verb: str) -> None:
    strategy = make_strategy(make_trader("bob"), paused=verb == "resume")
    assert page.post(f"{URL}{strategy.pk}/{verb}").status_code == 404
    assert Strategy.objects.get(pk=strategy.pk).paused is (verb == "resume")


def test_a_link_switches_nothing(page: Client, ann: User) -> None:
    strategy = make_strategy(ann)
    assert page.get(f"{URL}{strategy.pk}/pause").status_code == 405
    assert not Strategy.objects.get(pk=strategy.pk).paused


def test_pausing_leaves_an_edit_of_the_same_moment_alone(ann: User) -> None:
    from orders.services.strategies import pause_strategy

    strategy = make_strategy(ann)
    paused = pause_strategy(user=ann, strategy_id=strategy.pk)
    Strategy.objects.filter(pk=strategy.pk).update(name="Renamed")
    paused.save(update_fields=["paused"])
    assert Strategy.objects.get(pk=strategy.pk).name == "Renamed"


@pytest.mark.parametrize(
    ("order_type", "operation"), [("entry", Operation.ENTER_SHORT), ("exit", Operation.EXIT_LONG)]
)
def test_what_is_to_be_pasted_is_an_alert_that_the_webhook_takes(
    order_type: str, operation: Operation
) -> None:
    text = alert_message(order_type=order_type)
    for placeholder, value in AS_TRADINGVIEW_FILLS_IT.items():
        text = text.replace(placeholder, value)
    assert "{{" not in text
    alert = parse_alert(text.encode(), "application/json")
    assert alert.operation is operation
    assert (alert.symbol, alert.secret) == ("AAPL", "YOUR-SECRET")
    assert alert.alert_id == "Long|2026-03-02T14:29:00Z|2026-03-02T14:30:00Z|-12.5"
    assert json.loads(text)["order_type"] == order_type


@pytest.mark.parametrize("count", [1, 10])
def test_it_asks_the_database_as_often_for_one_strategy_as_for_ten(
    page: Client, ann: User, account: BrokerAccount, count: int, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        strategy = make_strategy(ann, f"S{number}")
        strategy.accounts.add(account)
        make_order(account, signal=make_signal(strategy), strategy=strategy)
    # session, user, time zone, strategies, their accounts, signals, their orders
    with django_assert_num_queries(7):
        assert page.get(URL).status_code == 200
