"""Positions and the trade journal in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from orders.models import Trade
from tests.pages.rows import make_account, make_leg, make_order, make_position, make_trade

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_a_position_to_its_trade_to_its_order_and_back(tab: Page, ann: User) -> None:
    account = make_account(ann)
    trade = make_trade(account)
    make_leg(trade, make_order(account))
    make_position(account)
    make_position(account, "MSFT", "0")
    tab.goto("/orders/")
    tab.get_by_role("link", name="Positions").click()
    rows = tab.locator("tbody tr")
    expect(rows).to_have_count(1)
    tab.get_by_role("link", name="With flat ones").click()
    expect(rows).to_have_count(2)
    rows.get_by_role("link", name="its trade").click()
    expect(tab.get_by_role("heading", name="Long 10 AAPL")).to_be_visible()
    tab.get_by_role("link", name="Buy 10 AAPL").click()
    expect(tab.get_by_role("heading", name="Buy 10 AAPL")).to_be_visible()
    tab.get_by_role("link", name="Long 10 AAPL").click()
    tab.get_by_role("navigation", name="Main").get_by_role("link", name="Trades").click()
    expect(rows).to_contain_text("10 at 100.00")


def test_the_journal_follows_a_trade_to_its_end_and_keeps_the_focus(tab: Page, ann: User) -> None:
    trade = make_trade(make_account(ann))
    tab.goto("/trades/")
    link = tab.locator(f"[id='trade-{trade.pk}']")
    link.focus()
    Trade.objects.filter(pk=trade.pk).update(
        status="CLOSED", exit_qty=10, exit_amount=990, realized_pnl=-10, exit_reason="SIGNAL"
    )
    expect(tab.locator("tbody .status")).to_have_text("Closed", timeout=20_000)
    expect(tab.locator("tbody .pnl")).to_have_text("−10.00")
    expect(tab.locator("tbody")).to_contain_text("Its strategy's exit")
    expect(link).to_be_focused()
    expect(tab.locator("#live")).not_to_have_attribute("hx-trigger", "every 5s")
