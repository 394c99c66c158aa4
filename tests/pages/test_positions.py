"""The list of positions: whose, which, in what form."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from brokers.models import BrokerAccount
from orders.models import Position
from orders.views import position_list
from tests.pages.rows import make_account, make_position, make_trade
from tests.pages.test_order_list import REFRESH, version_in

URL = "/positions/"


def symbols(response: Any) -> list[str]:
    return [position.symbol for position, _, _ in response.context["rows"]]


def text_of(response: Any) -> str:
    """Return what the table says, with one blank between words."""
    body = response.content.decode().partition("<tbody")[2].partition("</tbody>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(URL)["Location"] == "/login/?next=/positions/"


def test_a_trader_sees_no_position_of_another(
    page: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    make_position(account, "AAPL")
    make_position(bobs_account, "TSLA")
    assert symbols(page.get(URL, {"all": "1"})) == ["AAPL"]
    refused = page.get(URL, {"account": str(bobs_account.pk)})
    assert "account" in refused.context["form"].errors
    assert symbols(refused) == ["AAPL"]


def test_flat_ones_are_hidden_until_they_are_asked_for(page: Client, account: BrokerAccount) -> None:
    make_position(account, "MSFT", "0", realized_pnl="12.5")
    make_position(account, "AAPL")
    assert symbols(page.get(URL)) == ["AAPL"]
    response = page.get(URL, {"all": "1"})
    assert symbols(response) == ["AAPL", "MSFT"]
    assert "Flat MSFT 0.00 – – +12.50" in text_of(response)
    filtered = page.get(URL, {"all": "1", "symbol": "msft"})
    assert symbols(filtered) == ["MSFT"]
    assert (
        '<input type="hidden" name="all" value="1">' in filtered.content.decode()
    )  # the next filter keeps it


def test_what_a_position_comes_to(page: Client, account: BrokerAccount) -> None:
    make_position(account, "BTC/USD", "-0.150000000", cost="-9750", realized_pnl="-3.105", fees="1.2")
    response = page.get(URL)
    assert "Short 0.15 BTC/USD −9750.00 at 65000.00 no quote – −3.10 1.20" in text_of(response)
    assert 'class="pnl loss" title="-3.105"' in response.content.decode()


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(1, "under a minute old"), (60, "1 min old"), (7200, "2 h old"), (3 * 86_400, "3 days old")],
)
def test_what_a_position_is_worth_and_how_old_that_is(
    page: Client, account: BrokerAccount, seconds: int, age: str
) -> None:
    quoted_at = timezone.now() - timedelta(seconds=seconds)
    position = make_position(account)
    marks = {"mark_px": "101.5", "market_value": 1015, "unrealized_pnl": 15, "unrealized_pct": "1.5"}
    Position.objects.filter(pk=position.pk).update(**marks, quote_time=quoted_at, valued_at=timezone.now())
    assert f"1015.00 at 101.50 {age} +15.00 +1.50 %" in text_of(page.get(URL))


def test_symbol_and_account(page: Client, ann: User, account: BrokerAccount) -> None:
    second = make_account(ann, "Second")
    make_position(account, "AAPL")
    make_position(second, "AAPL", "-1")
    make_position(second, "MSFT")
    assert symbols(page.get(URL, {"symbol": " aapl "})) == ["AAPL", "AAPL"]
    assert symbols(page.get(URL, {"account": str(second.pk)})) == ["AAPL", "MSFT"]


def test_an_open_position_leads_to_its_trade(page: Client, ann: User, account: BrokerAccount) -> None:
    second = make_account(ann, "Second")
    make_position(account)
    make_position(second)
    trades = [make_trade(account), make_trade(second)]
    make_trade(account, "CLOSED")
    html = page.get(URL).content.decode()
    assert re.findall(r'href="/trades/([0-9a-f-]+)/"', html) == [str(trade.pk) for trade in trades]
    assert "07:01:00" in html  # its first fill, in New York


def test_more_than_fit_are_said_to_be_more(
    page: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(position_list, "MOST_SHOWN", 2)
    for symbol in ("A", "B"):
        make_position(account, symbol)
    assert "Only the first" not in page.get(URL).content.decode()
    make_position(account, "C")
    response = page.get(URL)
    assert symbols(response) == ["A", "B"]
    assert "Only the first 2 are shown" in response.content.decode()


@pytest.mark.parametrize("count", [1, 20])
def test_it_asks_the_database_as_often_for_one_position_as_for_twenty(
    page: Client, account: BrokerAccount, count: int, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        make_position(account, f"S{number}")
        make_trade(account, symbol=f"S{number}", opened_by=f"fill-{number}")
    # session, user, time zone, positions, their trades, the filter's accounts
    with django_assert_num_queries(6):
        assert len(symbols(page.get(URL))) == count


def test_it_follows_what_is_open(page: Client, account: BrokerAccount) -> None:
    position = make_position(account)
    make_trade(account)
    first = page.get(URL)
    assert 'hx-trigger="every 5s"' in first.content.decode()
    seen = version_in(first)
    assert page.get(URL, {"seen": seen}, headers=REFRESH).status_code == 204
    Position.objects.filter(pk=position.pk).update(qty=15, cost=1500)
    changed = page.get(URL, {"seen": seen}, headers=REFRESH).content.decode()
    assert "15 <strong>AAPL" in changed
    assert "<html" not in changed
    assert "seen=" not in changed


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "No position is open"),
        ({"all": "1"}, "No positions so far"),
        ({"symbol": "ZZZ"}, "look among the flat ones too"),
        ({"symbol": "ZZZ", "all": "1"}, "Show every open position"),
    ],
)
def test_an_empty_list_says_why(page: Client, query: dict[str, str], said: str) -> None:
    assert said in page.get(URL, query).content.decode()
