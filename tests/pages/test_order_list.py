"""The orders list: whose rows, which rows, how many at a time, and how it stays fresh."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from brokers.models import BrokerAccount
from orders.views import order_list
from tests.pages.rows import NOON, become, make_account, make_order, make_strategy

URL = "/orders/"
REFRESH = {"HX-Request": "true"}


def ids(response: Any) -> list[uuid.UUID]:
    return [order.id for order, _ in response.context["rows"]]


def version_in(response: Any) -> str:
    match = re.search(r'"seen": "([0-9a-f]+)"', response.content.decode())
    assert match is not None
    return match[1]


def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, db: None) -> None:
    response = client.get(URL + "?symbol=AAPL")
    assert response.status_code == 302
    assert response["Location"] == "/login/?next=/orders/%3Fsymbol%3DAAPL"


def test_a_part_whose_session_has_ended_leads_the_whole_page_to_the_login(client: Client, db: None) -> None:
    response = client.get(URL, headers=REFRESH)
    assert response["HX-Redirect"] == "/login/"
    assert b"password" not in response.content


def test_a_trader_sees_no_order_of_another(
    page: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    mine = make_order(account)
    other = make_order(bobs_account, symbol="TSLA")
    response = page.get(URL)
    assert ids(response) == [mine.id]
    assert "TSLA" not in response.content.decode()
    assert ids(page.get(URL, {"after": str(uuid.UUID(int=0))})) == [mine.id]
    assert ids(page.get(URL, {"account": str(other.account_id)})) == [mine.id]  # refused, see below


def test_another_traders_account_is_no_choice(page: Client, bobs_account: BrokerAccount) -> None:
    response = page.get(URL, {"account": str(bobs_account.pk)})
    assert "account" in response.context["form"].errors
    assert bobs_account.label not in response.content.decode().replace("Every account", "")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("", {"NEW", "SUBMITTED", "FILLED", "REJECTED", "CANCELED"}),
        ("open", {"NEW", "SUBMITTED"}),
        ("filled", {"FILLED"}),
        ("ended", {"REJECTED", "CANCELED"}),
        ("unknown", {"SUBMITTED"}),
    ],
)
def test_status_groups(page: Client, account: BrokerAccount, group: str, expected: set[str]) -> None:
    for ord_status in ("NEW", "SUBMITTED", "FILLED", "REJECTED", "CANCELED"):
        make_order(account, ord_status)
    response = page.get(URL, {"status": group})
    assert {order.ord_status for order, _ in response.context["rows"]} == expected


def test_an_order_sent_just_now_is_not_called_unknown(page: Client, account: BrokerAccount) -> None:
    make_order(account, "SUBMITTED", received_at=timezone.now())
    assert ids(page.get(URL, {"status": "unknown"})) == []
    assert "Outcome unknown</span>" not in page.get(URL).content.decode()


def test_an_order_sent_a_while_ago_is_called_unknown(page: Client, account: BrokerAccount) -> None:
    make_order(account, "SUBMITTED", received_at=timezone.now() - timedelta(seconds=8))
    assert "Outcome unknown</span>" in page.get(URL).content.decode()


def test_symbol_account_and_source(page: Client, ann: User, account: BrokerAccount) -> None:
    make_order(account)
    wanted = make_order(make_account(ann, "Second"), symbol="MSFT", source="api")
    for query in ({"symbol": " msft "}, {"account": str(wanted.account_id)}, {"source": "api"}):
        assert ids(page.get(URL, query)) == [wanted.id]
    assert ids(page.get(URL, {"symbol": "MSFT", "source": "webhook"})) == []


def test_days_are_the_traders_own(page: Client, account: BrokerAccount) -> None:
    # 04:30 UTC on 3 March is still 2 March in New York.
    late = make_order(account, received_at=NOON.replace(day=3, hour=4, minute=30))
    make_order(account, received_at=NOON.replace(day=3, hour=5, minute=30))
    assert ids(page.get(URL, {"since": "2026-03-02", "until": "2026-03-02"})) == [late.id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-02-31"}, "since"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "until"),
        ({"status": "sideways"}, "status"),
        ({"until": "9999-12-31"}, None),
        ({"symbol": "x\x00y"}, "symbol"),
    ],
)
def test_a_filter_that_cannot_be_used_says_so_and_filters_nothing(
    page: Client, account: BrokerAccount, query: dict[str, str], field: str | None
) -> None:
    order = make_order(account)
    response = page.get(URL, query)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == ([field] if field else [])
    assert ids(response) == [order.id]


def test_pages_meet_without_gap_or_repeat(
    page: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_list, "PAGE_SIZE", 2)
    expected = [make_order(account).id for _ in range(5)][::-1]
    first = page.get(URL)
    second = page.get(first.context["older_url"])
    third = page.get(second.context["older_url"])
    assert ids(first) + ids(second) + ids(third) == expected
    assert not first.context["newer_url"]
    assert not third.context["older_url"]
    assert ids(page.get(third.context["newer_url"])) == expected[2:4]
    assert ids(page.get(second.context["newer_url"])) == expected[0:2]


def test_a_page_keeps_the_filters(
    page: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_list, "PAGE_SIZE", 1)
    wanted = [make_order(account, symbol="MSFT").id for _ in range(2)]
    make_order(account)
    first = page.get(URL, {"symbol": "MSFT"})
    assert ids(page.get(first.context["older_url"])) == wanted[:1]


@pytest.mark.parametrize("cursor", ["before=x", "after=12"])
def test_a_cursor_that_is_no_id_is_not_found(page: Client, cursor: str) -> None:
    assert page.get(f"{URL}?{cursor}").status_code == 404


@pytest.mark.parametrize("count", [1, 40])
def test_it_asks_the_database_as_often_for_one_order_as_for_forty(
    page: Client, ann: User, account: BrokerAccount, count: int, django_assert_num_queries: Any
) -> None:
    strategy = make_strategy(ann)
    for _ in range(count):
        make_order(account, strategy=strategy)
    # session, user, time zone, the filter's accounts, orders, their open requests
    with django_assert_num_queries(6):
        assert len(ids(page.get(URL))) == count


def test_it_refreshes_only_while_an_order_is_open(page: Client, account: BrokerAccount) -> None:
    order = make_order(account, "NEW")
    assert 'hx-trigger="every 3s"' in page.get(URL).content.decode()
    become(order, ord_status="CANCELED", ended=True)
    assert "hx-trigger" not in page.get(URL).content.decode()


def test_a_refresh_sends_nothing_until_something_has_changed(page: Client, account: BrokerAccount) -> None:
    order = make_order(account, "NEW")
    seen = version_in(page.get(URL))
    unchanged = page.get(URL, {"seen": seen}, headers=REFRESH)
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    become(order, ord_status="PARTIALLY_FILLED", cum_qty=4)
    changed = page.get(URL, {"seen": seen}, headers=REFRESH)
    assert changed.status_code == 200
    html = changed.content.decode()
    assert "Partly filled" in html
    assert "<html" not in html
    assert "seen=" not in html  # the address of the next refresh does not grow


def test_numbers_and_times(page: Client, account: BrokerAccount) -> None:
    make_order(account, order_qty="1000.500", avg_px="187.3000000000", ord_type="LIMIT", price="190")
    html = page.get(URL).content.decode()
    assert "1000.5 <" in html
    assert "187.30<" in html
    assert "limit 190.00" in html
    assert 'datetime="2026-03-02T12:00:00.250000+00:00" title="2026-03-02 12:00:00.250 UTC"' in html
    assert "07:00:00" in html  # New York
    assert "America/New_York" in html


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "No orders so far"),
        ({"status": "open"}, "No order is open"),
        ({"status": "unknown"}, "Every outcome is known"),
        ({"status": "filled"}, "Nothing here so far"),
        ({"symbol": "ZZZ"}, "No order fits these filters"),
    ],
)
def test_an_empty_list_says_why(page: Client, query: dict[str, str], said: str) -> None:
    assert said in page.get(URL, query).content.decode()


def test_what_others_wrote_is_escaped(page: Client, ann: User, account: BrokerAccount) -> None:
    make_order(account, strategy=make_strategy(ann, "<script>alert(1)</script>"))
    assert "<script>alert" not in page.get(URL).content.decode()


def test_an_operator_who_does_not_trade_sees_an_empty_list(client: Client, db: None) -> None:
    client.force_login(User.objects.create(username="operator", is_staff=True))
    html = client.get(URL).content.decode()
    assert "No orders so far" in html
    assert 'href="/admin/"' in html
