"""Signing in and out in a real browser, and what a page does once its session is over."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.pages.rows import (
    PASSWORD,
    make_account,
    make_order,
    make_trader,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_logging_in_with_the_keyboard_and_out_again(tab: Page) -> None:
    make_trader("ann", password=PASSWORD)
    tab.goto("/orders/?symbol=AAPL")
    tab.keyboard.type("ann")  # the first field has the focus
    tab.keyboard.press("Tab")
    tab.keyboard.type("wrong")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("alert")).to_contain_text("do not fit together")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.keyboard.press("Enter")
    expect(tab.get_by_label("Symbol")).to_have_value("AAPL")  # on to where it was going
    tab.get_by_role("button", name="Log out").click()
    expect(tab.get_by_role("heading", name="Log in")).to_be_visible()


def test_the_first_tab_skips_to_the_content(tab: Page, ann: User) -> None:
    tab.goto("/orders/")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to content")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("main")).to_be_focused()


def test_a_page_left_open_past_its_session_leads_to_the_login(tab: Page, ann: User) -> None:
    make_order(make_account(ann), "NEW", received_at=timezone.now())
    tab.goto("/orders/")
    tab.context.clear_cookies()
    expect(tab.get_by_role("heading", name="Log in")).to_be_visible()
