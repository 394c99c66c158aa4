"""How the pages look in a real browser: on a phone, and whether the text stands out from its ground."""

from __future__ import annotations

from typing import Literal

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page

from orders.services.reconciliation.asking import ask_now
from tests.pages.browser.helpers import CONTRAST, sticking_out
from tests.pages.rows import (
    make_account,
    make_event,
    make_fill,
    make_leg,
    make_order,
    make_position,
    make_request,
    make_strategy,
    make_trade,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_a_request_fit_a_phone_and_stand_out(
    tab: Page, ann: User, scheme: Literal["light", "dark"]
) -> None:
    account = make_account(ann, "An account with a rather long label of its own")
    order = make_order(account, "NEW", ord_type="STOP_LIMIT", order_qty="1234.5", price=187, stop_px=186)
    make_request(order, "REPLACE", "REFUSED", order_qty="123456.123456789", price="98765.123456789")
    busy = make_order(account, "PENDING_CANCEL", ord_type="LIMIT", price=187)
    make_request(busy, "CANCEL", "PENDING")
    make_request(busy, "REPLACE", "SENT", order_qty="12")
    tab.emulate_media(color_scheme=scheme)
    for width in (320, 390, 1280):
        tab.set_viewport_size({"width": width, "height": 844})
        for what in (f"{order.pk}/", f"{order.pk}/cancel", f"{order.pk}/replace", f"{busy.pk}/", ""):
            tab.goto(f"/orders/{what}")
            assert sticking_out(tab) == [], f"{what} at {width}"
            assert tab.evaluate(CONTRAST) == [], f"{what} at {width}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_phone(tab: Page, ann: User, scheme: Literal["light", "dark"]) -> None:
    account = make_account(ann, "An account with a rather long label of its own")
    strategy = make_strategy(ann, "A strategy whose name goes on for longer than a phone is wide")
    order = make_order(
        account, "NEW", strategy=strategy, order_qty="123456.123456789", symbol="BTC/USDT-PERP"
    )
    make_event(order, worker="user.1234567890@a-host-with-a-long-name.example.org", data={"k": "v" * 200})
    make_fill(order, "123456.123456789", "98765.123456789")
    tab.emulate_media(color_scheme=scheme)
    make_position(account, "BTC/USDT-PERP", "-123456.123456789", cost="-12193254.061118739", fees="1234.5678")
    trade = make_trade(
        account,
        strategy=strategy,
        symbol="BTC/USDT-PERP",
        side="SHORT",
        entry_qty="123456.123456789",
        entry_amount="12193254.061118739",
        exit_qty="100000.1",
        exit_amount="9876543.21",
        realized_pnl="-1234567.891234567",
    )
    for _ in range(4):
        make_leg(trade, order)
        order = make_order(account, strategy=strategy, order_qty="123456.123456789", symbol="BTC/USDT-PERP")
    ask_now(account)
    own = (
        f"/orders/{order.pk}/",
        f"/trades/{trade.pk}/",
        f"/strategies/{strategy.pk}/sizing",
        f"/strategies/{strategy.pk}/exit-rules",
    )
    lists = (
        "/orders/",
        "/orders/new/",
        "/positions/",
        "/positions/flatten",
        "/trades/",
        "/accounts/",
        "/strategies/",
        "/strategies/exit-rules",
        "/nothing/",
    )
    for width in (320, 390, 800, 1100, 1280):
        tab.set_viewport_size({"width": width, "height": 844})
        for url in (*lists, *own):
            tab.goto(url)
            assert sticking_out(tab) == [], f"{url} at {width}"
            assert tab.evaluate(CONTRAST) == [], f"{url} at {width}"


def test_text_stands_out_from_its_ground(tab: Page, ann: User) -> None:
    account = make_account(ann)
    for ord_status in ("NEW", "SUBMITTED", "FILLED", "REJECTED", "CANCELED", "INITIALIZED"):
        make_order(account, ord_status, side="SELL" if ord_status == "NEW" else "BUY")
    make_position(account, realized_pnl="-3.5")
    make_position(account, "TSLA", "-2", realized_pnl="7")
    make_trade(account, "ORDERED", side="SHORT")
    make_trade(account, "CLOSED", realized_pnl="-10")
    trade = make_trade(account, "CLOSED")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        for url in ("/orders/", "/positions/", "/trades/", f"/trades/{trade.pk}/"):
            tab.goto(url)
            assert tab.evaluate(CONTRAST) == [], f"{url} in {scheme}"
