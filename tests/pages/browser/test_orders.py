"""The list of orders and an order's page in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.pages.rows import (
    become,
    make_account,
    make_event,
    make_fill,
    make_order,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_filtering_the_list(tab: Page, ann: User) -> None:
    account = make_account(ann)
    make_order(account, symbol="AAPL")
    make_order(account, "REJECTED", symbol="MSFT")
    tab.goto("/orders/")
    rows = tab.locator("tbody tr")
    expect(rows).to_have_count(2)
    tab.get_by_label("Symbol").fill("msft")
    tab.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Rejected")
    tab.get_by_role("link", name="Filled", exact=True).click()
    expect(tab.get_by_role("heading", name="No order fits these filters")).to_be_visible()
    tab.get_by_role("link", name="Clear").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("AAPL")


def test_the_list_follows_an_open_order_and_keeps_the_focus(tab: Page, ann: User) -> None:
    order = make_order(make_account(ann), "NEW")
    tab.goto("/orders/")
    link = tab.locator(f"[id='order-{order.pk}']")
    link.focus()
    become(order, ord_status="FILLED", cum_qty=10, leaves_qty=0, avg_px=187, ended=True, next_check_at=None)
    expect(tab.locator("tbody .status")).to_have_text("Filled")
    expect(link).to_be_focused()
    expect(tab.locator("#live")).not_to_have_attribute("hx-trigger", "every 3s")


def test_an_orders_page_follows_it_to_its_end(tab: Page, ann: User) -> None:
    order = make_order(make_account(ann), "SUBMITTED", received_at=timezone.now())
    make_event(order, stages={"received": 0, "recorded": 4}, data={"note": "as it came"})
    tab.goto(f"/orders/{order.pk}/")
    expect(tab.locator(".outcome")).to_contain_text("the broker's answer is awaited")
    tab.get_by_text("What it says").click()
    make_fill(order, "10", "187.35", exec_id="fill-1")
    become(
        order,
        ord_status="FILLED",
        cum_qty=10,
        leaves_qty=0,
        avg_px="187.35",
        ended=True,
        next_check_at=None,
    )
    expect(tab.locator(".outcome")).to_contain_text("All 10 filled at 187.35 on average.")
    expect(tab.get_by_role("status")).to_contain_text("Filled.")  # read out to who cannot see it
    expect(tab.get_by_text("as it came")).to_be_visible()  # what was opened stays open
    expect(tab.locator(".fills")).to_contain_text("fill-1")
