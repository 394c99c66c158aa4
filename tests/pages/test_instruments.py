"""The symbols that the order form offers while one is typed."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from brokers.models import BrokerAccount
from tests.factories.instruments import keep, listing
from tests.factories.plans import cost_here

URL = "/instruments/options"
TABLE = "brokers_instrument"

pytestmark = pytest.mark.django_db


def options(page: Client, account: BrokerAccount, typed: str) -> list[str]:
    response = page.get(URL, {"symbol": typed, "account": str(account.pk)})
    assert response.status_code == 200
    return re.findall(r'<option value="([^"]+)">', response.content.decode())


@pytest.fixture
def catalogue(account: BrokerAccount) -> None:
    keep(
        account.broker,
        listing("AAPL", name="Apple Inc."),
        listing("APP", name="AppLovin"),
        listing("AP", name="Ampco-Pittsburgh"),
        listing("MLP", name="Maui Land & Pineapple <Company>"),
        listing("GONE", name="Apple Hospitality", tradable=False),
    )
    keep("alpaca", listing("APPX", name="Elsewhere"))


def test_the_symbol_itself_then_symbols_then_names(
    page: Client, account: BrokerAccount, catalogue: None
) -> None:
    assert options(page, account, "app") == ["APP", "AAPL", "MLP"]
    assert options(page, account, "AP") == ["AP", "APP", "AAPL", "MLP"]
    assert options(page, account, "NASDAQ:AAPL") == ["AAPL"]
    assert options(page, account, "") == ["AAPL", "AP", "APP", "MLP"]
    assert options(page, account, "%") == options(page, account, "_") == []


def test_names_are_text_and_not_markup(page: Client, account: BrokerAccount, catalogue: None) -> None:
    html = page.get(URL, {"symbol": "MLP", "account": str(account.pk)}).content.decode()
    assert "Maui Land &amp; Pineapple &lt;Company&gt;" in html


@pytest.mark.parametrize("account_id", ["", "nonsense", "00000000-0000-7000-8000-000000000000"])
def test_without_an_account_there_is_nothing_to_offer(page: Client, catalogue: None, account_id: str) -> None:
    assert page.get(URL, {"symbol": "A", "account": account_id}).content.strip() == b""


def test_somebody_elses_account_tells_nothing(
    page: Client, bobs_account: BrokerAccount, catalogue: None
) -> None:
    assert options(page, bobs_account, "AAPL") == []


def test_who_is_not_signed_in_sees_nothing(client: Client, account: BrokerAccount, catalogue: None) -> None:
    assert client.get(URL, {"symbol": "A", "account": str(account.pk)}).status_code == 302


@pytest.mark.parametrize("typed", ["\0", "A\0", "é", "x" * 5000])
def test_whatever_is_typed(page: Client, account: BrokerAccount, catalogue: None, typed: str) -> None:
    options(page, account, typed)


def test_twelve_thousand_symbols_are_searched_by_reading_them_once(
    page: Client, account: BrokerAccount
) -> None:
    keep(account.broker, *(listing(f"S{number}", name=f"Company {number} Inc.") for number in range(12_000)))
    assert options(page, account, "company 777") == ["S777", *(f"S777{digit}" for digit in range(10))]
    for typed in ("S1", "S11", "company 9", "nothing like it"):
        found: list[str] = []
        cost = cost_here(lambda typed=typed, found=found: found.extend(options(page, account, typed)), TABLE)
        assert (cost.statements, cost.rows) == (1, len(found))
        assert len(found) in (0, 20)
        assert cost.buffers <= 2 * pages_of(TABLE), "the catalogue is read more than once"


def pages_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s::regclass) / 8192", [table])
        return int(cursor.fetchone()[0])


def test_the_form_offers_them_by_a_list_that_needs_no_mouse(page: Client, account: BrokerAccount) -> None:
    html = page.get("/orders/new/").content.decode()
    assert 'list="instruments"' in html
    assert re.search(r'<datalist id="instruments" hx-get="/instruments/options"', html)


def test_an_operator_looks_a_symbol_up(client: Client, account: BrokerAccount, catalogue: None) -> None:
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    html = client.get("/admin/brokers/instrument/", {"q": "apple"}).content.decode()
    assert "AAPL" in html and "GONE" in html and "AppLovin" not in html
    assert client.get("/admin/brokers/instrument/add/").status_code == 403
