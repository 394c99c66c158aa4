"""Placing an order in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from orders.models import Order
from tests.factories.instruments import keep, listing
from tests.pages.browser.helpers import running_fleet
from tests.pages.rows import make_account

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_form_shows_the_fields_that_the_type_takes(tab: Page, ann: User) -> None:
    make_account(ann)
    tab.goto("/orders/new/")
    limit, stop = tab.get_by_label("Limit price"), tab.get_by_label("Stop price")
    kind = tab.get_by_label("Type")
    for value, takes_limit, takes_stop in (
        ("MARKET", False, False),
        ("LIMIT", True, False),
        ("STOP", False, True),
        ("STOP_LIMIT", True, True),
    ):
        kind.select_option(value)
        expect(limit).to_be_visible(visible=takes_limit)
        expect(stop).to_be_visible(visible=takes_stop)


def test_symbols_are_offered_while_one_is_typed(tab: Page, ann: User) -> None:
    account = make_account(ann)
    keep(account.broker, listing("AAPL", name="Apple Inc."), listing("MSFT", name="Microsoft"))
    tab.goto("/orders/new/")
    offered = tab.locator("datalist#instruments option")
    expect(offered).to_have_count(2)
    tab.get_by_label("Symbol").press_sequentially("appl")
    expect(offered).to_have_count(1)
    expect(offered).to_have_attribute("value", "AAPL")
    tab.get_by_label("Symbol").fill("nothing like it")
    expect(offered).to_have_count(0)


def test_what_is_wrong_stands_beside_its_field(tab: Page, ann: User) -> None:
    make_account(ann)
    tab.goto("/orders/new/")
    tab.get_by_label("Symbol").fill("AAPL")
    tab.get_by_label("Quantity").fill("ten")
    tab.get_by_label("Type").select_option("LIMIT")
    tab.get_by_role("button", name="Place the order").click()
    quantity = tab.get_by_label("Quantity")
    expect(quantity).to_be_focused()
    expect(quantity).to_have_accessible_description(
        "On an exit, empty means the whole position. Quantity is not a plain decimal number."
    )
    expect(tab.get_by_text("Limit price is required for a limit order.")).to_be_visible()
    expect(tab.get_by_label("Symbol")).to_have_value("AAPL")
    assert not Order.objects.exists()


def test_a_double_click_places_one_order_and_its_page_follows(tab: Page, ann: User) -> None:
    make_account(ann)
    running_fleet()
    tab.goto("/orders/new/")
    tab.get_by_label("Symbol").fill("AAPL")
    tab.get_by_label("Quantity").fill("1")
    tab.get_by_role("button", name="Place the order").dblclick()
    expect(tab.get_by_role("heading", name="Buy 1 AAPL")).to_be_visible()
    expect(tab.locator(".outcome")).to_contain_text("waits for the trader's worker")
    assert Order.objects.count() == 1


def test_going_back_and_sending_again_leads_to_the_same_order(tab: Page, ann: User) -> None:
    make_account(ann)
    running_fleet()
    tab.goto("/orders/new/")
    form_id = tab.locator("[name=form_id]").get_attribute("value")
    for _ in range(2):
        tab.goto("/orders/new/")
        tab.evaluate("id => { document.querySelector('[name=form_id]').value = id; }", form_id)
        tab.get_by_label("Symbol").fill("AAPL")
        tab.get_by_label("Quantity").fill("1")
        tab.get_by_role("button", name="Place the order").click()
        expect(tab.get_by_role("heading", name="Buy 1 AAPL")).to_be_visible()
    expect(tab.get_by_text("This form had been sent before.")).to_be_visible()
    assert Order.objects.count() == 1
