"""The journal and a trade's page: whose, which, in what words."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from orders.models import Trade
from orders.views import trade_list
from tests.factories.traders import make_desk
from tests.factories.trips import filled_order
from tests.pages.rows import (
    NOON,
    make_account,
    make_fill,
    make_leg,
    make_order,
    make_strategy,
    make_trade,
)
from tests.pages.test_order_list import REFRESH, version_in
from tests.pages.test_positions import text_of

URL = "/trades/"


def ids(response: Any) -> list[uuid.UUID]:
    return [row.trade.id for row in response.context["rows"]]


def url(trade: Trade) -> str:
    return f"/trades/{trade.pk}/"


# --- the list ---


def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(URL)["Location"] == "/login/?next=/trades/"


def test_a_trader_sees_no_trade_of_another(
    page: Client, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    mine, his = make_trade(account), make_trade(bobs_account)
    foreign = make_strategy(bobs_account.user, "Bobs own")
    assert ids(page.get(URL)) == [mine.id]
    assert page.get(url(his)).status_code == 404
    response = page.get(URL, {"strategy": str(foreign.pk), "account": str(bobs_account.pk)})
    assert set(response.context["form"].errors) == {"strategy", "account"}
    assert "Bobs own" not in response.content.decode()
    assert ids(response) == [mine.id]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("", {"ORDERED", "POSITION", "CLOSED", "CANCELED"}),
        ("open", {"ORDERED", "POSITION"}),
        ("closed", {"CLOSED"}),
        ("canceled", {"CANCELED"}),
    ],
)
def test_groups(page: Client, account: BrokerAccount, group: str, expected: set[str]) -> None:
    for status in Trade.Status.values:
        make_trade(account, status)
    rows = page.get(URL, {"status": group}).context["rows"]
    assert {row.trade.status for row in rows} == expected


def test_symbol_account_and_strategy(page: Client, ann: User, account: BrokerAccount) -> None:
    make_trade(account)
    wanted = make_trade(make_account(ann, "Second"), symbol="MSFT", strategy=make_strategy(ann))
    for query in (
        {"symbol": "msft"},
        {"account": str(wanted.account_id)},
        {"strategy": str(wanted.strategy_id)},
    ):
        assert ids(page.get(URL, query)) == [wanted.id]


def test_pages_meet_without_gap_or_repeat(
    page: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_list, "PAGE_SIZE", 2)
    expected = [make_trade(account, "CLOSED").id for _ in range(5)][::-1]
    make_trade(account)
    first = page.get(URL, {"status": "closed"})
    second = page.get(first.context["older_url"])
    third = page.get(second.context["older_url"])
    assert ids(first) + ids(second) + ids(third) == expected
    assert not first.context["newer_url"]
    assert not third.context["older_url"]
    assert ids(page.get(second.context["newer_url"])) == expected[0:2]
    assert page.get(URL, {"before": "x"}).status_code == 404


def test_a_row_says_how_it_went_and_why_it_ended(page: Client, ann: User, account: BrokerAccount) -> None:
    order, other = make_order(account), make_order(account, side="SELL")
    trade = make_trade(account, "CLOSED", fees="0.5", strategy=make_strategy(ann))
    make_leg(trade, order)
    make_leg(trade, other, "EXIT")
    response = page.get(URL)
    said = text_of(response)
    assert "Long 10 AAPL 10 at 100.00 Entry order 10 at 101.00 Exit order +9.50 Closed Closed by hand" in said
    html = response.content.decode()
    assert html.count(f'href="/orders/{order.pk}/"') == html.count(f'href="/orders/{other.pk}/"') == 1


def test_a_trade_that_is_open_has_no_profit_yet(page: Client, account: BrokerAccount) -> None:
    make_trade(account, "POSITION", fees="0.5")
    assert "10 at 100.00 – – Open" in text_of(page.get(URL))


def test_of_many_orders_the_first_are_named_and_the_others_counted(
    page: Client, account: BrokerAccount
) -> None:
    trade = make_trade(account)
    for _ in range(5):
        make_leg(trade, make_order(account), qty="2")
    assert "Entry order 1 , Entry order 2 , Entry order 3 and 2 more" in text_of(page.get(URL))


@pytest.mark.parametrize("count", [1, 20])
def test_it_asks_the_database_as_often_for_one_trade_as_for_twenty(
    page: Client, ann: User, account: BrokerAccount, count: int, django_assert_num_queries: Any
) -> None:
    strategy = make_strategy(ann)
    for _ in range(count):
        make_leg(make_trade(account, "CLOSED", strategy=strategy), make_order(account))
    # session, user, time zone, trades, their legs, the filter's accounts and strategies
    with django_assert_num_queries(7):
        assert len(ids(page.get(URL))) == count


def test_it_refreshes_only_while_a_trade_is_open(page: Client, account: BrokerAccount) -> None:
    trade = make_trade(account, "ORDERED")
    first = page.get(URL)
    assert 'hx-trigger="every 5s"' in first.content.decode()
    seen = version_in(first)
    assert page.get(URL, {"seen": seen}, headers=REFRESH).status_code == 204
    Trade.objects.filter(pk=trade.pk).update(status="CANCELED")
    assert "Canceled" in page.get(URL, {"seen": seen}, headers=REFRESH).content.decode()
    assert "hx-trigger" not in page.get(URL).content.decode()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "No trades so far"),
        ({"status": "open"}, "No trade is open"),
        ({"status": "closed"}, "Nothing here so far"),
        ({"symbol": "ZZZ"}, "No trade fits these filters"),
    ],
)
def test_an_empty_list_says_why(page: Client, query: dict[str, str], said: str) -> None:
    assert said in page.get(URL, query).content.decode()


def test_what_others_wrote_is_escaped(page: Client, ann: User, account: BrokerAccount) -> None:
    trade = make_trade(account, strategy=make_strategy(ann, "<script>alert(1)</script>"))
    for address in (URL, url(trade)):
        assert "<script>alert" not in page.get(address).content.decode()


# --- one trade ---


def test_a_trades_page_after_a_reversal(client: Client, db: None) -> None:
    desk = make_desk()
    bought = filled_order(desk, "10", "100", "first", NOON)
    sold = filled_order(desk, "15", "98.5", "second", NOON + timedelta(seconds=1), action="sell")
    client.force_login(desk.user)
    closed, opened = Trade.objects.order_by("opened_at")
    response = client.get(url(closed))
    html = response.content.decode()
    assert "Reversed by an entry on the other side. 10 bought at 100.00" in html
    assert 'title="-15">−15.00' in html
    assert [(leg.role, leg.qty, order.pk) for leg, order, _ in response.context["legs"]] == [
        ("ENTRY", 10, bought.pk),
        ("EXIT", 10, sold.pk),
    ]
    assert [fill.exec_id for fill in response.context["fills"]] == ["first", "second"]
    for order in (bought, sold):
        assert f'href="/orders/{order.pk}/"' in html
    other = client.get(url(opened)).content.decode()
    assert "5 sold at 98.50 on average, all still open." in other
    assert "second" in other
    assert "first" not in other.partition('id="fills"')[2].partition("<tbody>")[2]


def test_a_trade_of_which_nothing_is_filled(page: Client, account: BrokerAccount) -> None:
    trade = make_trade(account, "ORDERED")
    make_leg(trade, make_order(account, "NEW"), qty="0")
    html = page.get(url(trade)).content.decode()
    assert "nothing of it is filled so far" in html
    assert "Nothing is filled so far." in html
    assert 'hx-trigger="every 5s"' in html


def test_its_page_follows_it_to_its_end(page: Client, account: BrokerAccount) -> None:
    trade = make_trade(account)
    order = make_order(account)
    make_leg(trade, order)
    seen = version_in(page.get(url(trade)))
    assert page.get(url(trade), {"seen": seen}, headers=REFRESH).status_code == 204
    make_fill(order, "10", "100", exec_id="late")
    changed = page.get(url(trade), {"seen": seen}, headers=REFRESH).content.decode()
    assert "late" in changed
    assert 'id="announcement"' in changed
    Trade.objects.filter(pk=trade.pk).update(status="CANCELED")
    assert "hx-trigger" not in page.get(url(trade)).content.decode()


def test_a_trade_shows_its_stop_and_target_with_their_state(page: Client, account: BrokerAccount) -> None:
    entry = make_order(account, protection={"stop_loss": {"percent": "2"}, "take_profit": {"price": "120"}})
    trade = make_trade(account)
    make_leg(trade, entry)
    exits = {"side": "SELL", "position_effect": "CLOSE", "parent": entry, "source": "desk"}
    target = make_order(account, "NEW", ord_type="LIMIT", price="120", leg="TAKE_PROFIT", **exits)
    stop = make_order(
        account, "PENDING_NEW", ord_type="STOP", stop_px="98", leg="STOP_LOSS", sent_with=target, **exits
    )
    for url in (f"/trades/{trade.pk}/", f"/orders/{entry.pk}/"):
        shown = page.get(url).content.decode()
        for word in ("Protective exits", "Stop loss", "98.00", "Take profit", "120.00", "Working"):
            assert word in shown
    assert "2 % from the fill" in page.get(f"/orders/{entry.pk}/").content.decode()
    legs = page.get(f"/orders/{stop.pk}/").content.decode()
    assert f"/orders/{entry.pk}/" in legs
    assert f"/orders/{target.pk}/" in legs
