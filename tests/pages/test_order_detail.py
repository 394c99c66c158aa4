"""An order's page: its summary, its stages, its events, its fills."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from brokers.models import BrokerAccount
from orders.models import AttentionItem, Order
from tests.pages.rows import (
    NOON,
    become,
    make_event,
    make_fill,
    make_leg,
    make_order,
    make_signal,
    make_strategy,
    make_trade,
)
from tests.pages.test_order_list import REFRESH, version_in


def url(order: Order) -> str:
    return f"/orders/{order.pk}/"


@pytest.fixture
def filled(account: BrokerAccount) -> Order:
    """An order that went the whole way."""
    order = make_order(account)
    make_event(order, ms=4, source="web", stages={"received": 0, "recorded": 4}, ord_status="INITIALIZED")
    worker = {"worker": "user.7@desk", "pid": 4711, "epoch": 3}
    make_event(order, "Submitted", ms=7, stages={"dequeued": 6, "sent": 9}, ord_status="SUBMITTED", **worker)
    make_event(order, "Acknowledged", ms=16, stages={"acknowledged": 16.5}, ord_status="NEW", **worker)
    make_fill(order, "4", "187.30", exec_id="fill-1")
    make_fill(order, "6", "187.40", exec_id="fill-2")
    for exec_id in ("fill-1", "fill-2"):
        make_event(order, "Trade", ms=20, source="stream", data={"kind": "Trade", "exec_id": exec_id})
    make_event(order, "Replied", ms=25, stages={"replied": 25})
    return order


def test_another_traders_order_is_not_found(page: Client, bobs_account: BrokerAccount) -> None:
    assert page.get(url(make_order(bobs_account))).status_code == 404


def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, filled: Order) -> None:
    assert client.get(url(filled))["Location"].startswith("/login/")


def test_each_stage_has_its_time_and_its_milliseconds(page: Client, filled: Order) -> None:
    stages = page.get(url(filled)).context["stages"]
    assert [(stage.label, stage.since_receipt_ms) for stage in stages] == [
        ("Received", 0.0),
        ("Recorded", 4.0),
        ("Taken up by the worker", 6.0),
        ("Sent to the broker", 9.0),
        ("Acknowledged by the broker", 16.5),
        ("Answered", 25.0),
    ]
    assert sum(stage.width_pct for stage in stages) == pytest.approx(100, abs=0.1)


def test_every_event_and_fill_is_there(page: Client, filled: Order) -> None:
    response = page.get(url(filled))
    html = response.content.decode()
    assert [entry.title for entry in response.context["entries"]] == [
        "Recorded",
        "Sending to the broker",
        "Accepted by the broker",
        "Fill",
        "Fill",
        "The sender was answered",
    ]
    assert "Fill: 4 at 187.30" in html
    assert "Fill: 6 at 187.40" in html
    assert "All 10 filled at 187.35 on average." in html
    for said in ("user.7@desk", "pid 4711", "epoch 3", "fill-1", "fill-2", "07:00:00.250"):
        assert said in html


def test_a_stage_that_came_twice_is_there_twice(page: Client, account: BrokerAccount) -> None:
    order = make_order(account)
    make_event(order, "Submitted", stages={"sent": 9})
    make_event(order, "Submitted", stages={"sent": 2009})
    labels = [stage.label for stage in page.get(url(order)).context["stages"]]
    assert labels == ["Received", "Sent to the broker", "Sent to the broker"]


def test_a_cancel_has_its_words_and_leaves_the_orders_own_way_alone(page: Client, filled: Order) -> None:
    before = page.get(url(filled)).context["stages"]
    hour = 3_600_000
    make_event(filled, "CancelRecorded", ms=hour, stages={"received": hour, "recorded": hour + 1})
    make_event(filled, "CancelRequested", ms=hour + 5)
    make_event(filled, "PendingCancel", ms=hour + 9, stages={"sent": hour + 6, "acknowledged": hour + 9})
    make_event(filled, "CancelRejected", ms=hour + 20, data={"reason": "order is filled"})
    make_event(filled, "Heard", ms=hour + 21, stages={"acknowledged": hour + 21})
    response = page.get(url(filled))
    assert response.context["stages"] == before
    assert [entry.title for entry in response.context["entries"]][-5:-1] == [
        "A cancel was asked for",
        "Sending the cancel to the broker",
        "The broker has taken the cancel",
        "The broker refused the cancel",
    ]


def test_an_order_without_events_has_a_page(page: Client, account: BrokerAccount) -> None:
    html = page.get(url(make_order(account, "INITIALIZED", submitted_at=None))).content.decode()
    assert "waits for the trader" in html
    assert "Nothing is filled so far." in html
    assert "Not yet" in html


def test_an_unknown_outcome_is_called_so_and_the_operators_are_named(
    page: Client, account: BrokerAccount
) -> None:
    order = make_order(account, "SUBMITTED", received_at=timezone.now() - timedelta(seconds=20))
    AttentionItem.objects.create(user=order.user, order=order, kind="OUTCOME_UNKNOWN")
    html = page.get(url(order)).content.decode()
    assert "Outcome unknown" in html
    assert "nothing is assumed meanwhile" in html
    assert "The operators have it on their list" in html


@pytest.mark.parametrize(
    ("ord_status", "said"),
    [
        ("DENIED", "The desk did not send it."),
        ("REJECTED", "The broker refused it."),
    ],
)
def test_a_refusal_says_whose_and_why(
    page: Client, account: BrokerAccount, ord_status: str, said: str
) -> None:
    coded = make_order(account, ord_status, reason="TOO_OLD")
    told = make_order(account, ord_status, reason="TOO_OLD", text="not sent within 60 seconds.")
    assert f"{said} Too old." in page.get(url(coded)).content.decode()
    assert f"{said} Not sent within 60 seconds." in page.get(url(told)).content.decode()


def test_a_canceled_rest_does_not_hide_the_fills(page: Client, account: BrokerAccount) -> None:
    order = make_order(account, "CANCELED", cum_qty="4")
    html = page.get(url(order)).content.decode()
    assert "It was canceled. 4 of 10 filled at 187.35 on average." in html


def test_corrections_and_busts_say_what_they_speak_of(page: Client, filled: Order) -> None:
    make_fill(filled, "5", "187.30", exec_id="fix", exec_type="TRADE_CORRECT", exec_ref_id="fill-1")
    make_fill(filled, "0", "0", exec_id="bust", exec_type="TRADE_CANCEL", exec_ref_id="fill-2")
    html = page.get(url(filled)).content.decode()
    assert "Corrects <code>fill-1</code>" in html
    assert "Busts <code>fill-2</code>" in html


def test_it_refreshes_until_the_order_has_ended(page: Client, account: BrokerAccount) -> None:
    order = make_order(account, "NEW", received_at=timezone.now())
    first = page.get(url(order))
    assert 'hx-trigger="every 1s"' in first.content.decode()
    seen = version_in(first)
    assert page.get(url(order), {"seen": seen}, headers=REFRESH).status_code == 204
    become(order, ord_status="CANCELED", ended=True, next_check_at=None)
    html = page.get(url(order), {"seen": seen}, headers=REFRESH).content.decode()
    assert "hx-trigger" not in html
    assert 'id="announcement" hx-swap-oob="innerHTML">Canceled.' in html


def test_an_old_open_order_is_asked_for_less_often(page: Client, account: BrokerAccount) -> None:
    assert 'hx-trigger="every 5s"' in page.get(url(make_order(account, "NEW"))).content.decode()


def test_the_alert_is_shown_as_it_came(page: Client, ann: User, account: BrokerAccount) -> None:
    signal = make_signal(make_strategy(ann), body={"action": "buy", "comment": "<b>bold</b>"})
    html = page.get(url(make_order(account, signal=signal, strategy=signal.strategy))).content.decode()
    assert "&quot;action&quot;: &quot;buy&quot;" in html
    assert "<b>bold</b>" not in html


@pytest.mark.parametrize("more", [0, 30])
def test_it_asks_the_database_as_often_whatever_has_happened(
    page: Client, filled: Order, more: int, django_assert_num_queries: Any
) -> None:
    for number in range(more):
        make_fill(filled, "1", "187", exec_id=f"more-{number}", transact_time=NOON)
        make_event(filled, "Trade", data={"exec_id": f"more-{number}"})
    # session, user, time zone, order, events, fills, attention, requests, trades
    with django_assert_num_queries(9):
        assert page.get(url(filled)).status_code == 200


def test_it_leads_to_each_trade_that_it_belongs_to(page: Client, account: BrokerAccount) -> None:
    order = make_order(account, side="SELL")
    closed, opened = make_trade(account, "CLOSED"), make_trade(account, side="SHORT", entry_qty="5")
    make_leg(closed, order, "EXIT")
    make_leg(opened, order, "ENTRY", "5")
    html = page.get(url(order)).content.decode()
    for trade, role, name in (
        (closed, "Exit of", "Long</span> 10 <strong>AAPL"),
        (opened, "Entry of", "Short</span> 5 <strong>AAPL"),
    ):
        before, _, after = html.partition(f'href="/trades/{trade.pk}/"')
        assert role in before[-60:]
        assert name in after[:80]


def test_an_order_of_no_trade_leads_to_none(page: Client, account: BrokerAccount) -> None:
    assert 'href="/trades/0' not in page.get(url(make_order(account, "REJECTED"))).content.decode()
