"""Market hours in the admin: the calendars' to look at, an operator's word to edit."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.models import BrokerAccount
from orders.hours import hours_of
from orders.models import MarketOverride
from tests.factories.hours import open_market
from tests.pages.rows import make_account, make_trader

# Others learn of an edit once it is committed.
pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/orders/marketoverride/add/"


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    return client


def closed_today() -> dict[str, str]:
    """Return a form that closes every day that it may be in New York."""
    return {"market": "XNYS", "closed": "on", "reason": "announced this morning"}


def test_a_closure_counts_at_once_and_says_who_and_why(operator: Client) -> None:
    open_market("XNYS")
    now = dt.datetime.now(dt.UTC)
    session = hours_of("XNYS").session_of(now)
    assert session is not None
    assert operator.post(ADD, closed_today() | {"day": f"{session.day}"}).status_code == 302
    assert hours_of("XNYS").is_closed(now)
    override = MarketOverride.objects.get()
    assert (override.set_by.username, override.reason) == ("operator", "announced this morning")
    assert LogEntry.objects.filter(object_id=str(override.pk)).exists()
    delete = {"action": "delete_selected", "_selected_action": [override.pk], "post": "yes"}
    operator.post(reverse("admin:orders_marketoverride_changelist"), delete)
    assert not MarketOverride.objects.exists()
    assert hours_of("XNYS").is_open(now)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"closed": ""}, "when it opens and, after that, closes"),
        ({"opens": "09:30", "closes": "13:00"}, "when it opens and, after that, closes"),
        ({"closed": "", "opens": "13:00", "closes": "09:30"}, "when it opens and, after that, closes"),
        ({"reason": ""}, "This field is required"),
        ({"market": "24/7"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_told_beside_the_form(
    operator: Client, fields: dict[str, str], said: str
) -> None:
    data = closed_today() | {"day": "2026-12-01"} | fields
    response = operator.post(ADD, {name: value for name, value in data.items() if value})
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not MarketOverride.objects.exists()


def test_an_accounts_market_can_be_set(operator: Client) -> None:
    account = make_account(make_trader("ann"))
    page = reverse("admin:brokers_brokeraccount_change", args=[account.pk])
    assert operator.post(page, {"label": "Paper", "market": "XTAI"}).status_code == 302
    account = BrokerAccount.objects.get()
    assert (account.market, account.trades_on, account.market_of("2330")) == ("XTAI", "XTAI", "XTAI")


def test_without_a_word_an_account_trades_its_brokers_market() -> None:
    user = make_trader("ann")
    brokers = {"paper": True, "paper_c": True, "alpaca": False}
    accounts = [make_account(user, name, broker=name, simulation=paper) for name, paper in brokers.items()]
    assert [account.trades_on for account in accounts] == ["24/7", "24/7", "XNYS"]
