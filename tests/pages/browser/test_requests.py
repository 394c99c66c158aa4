"""Canceling and replacing in a real browser."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from orders.models import OrderRequest
from tests.pages.browser.helpers import running_fleet
from tests.pages.rows import make_account, make_order, make_request

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_canceling_with_the_keyboard(tab: Page, ann: User) -> None:
    order = make_order(make_account(ann), "NEW", ord_type="LIMIT", price=187)
    tab.goto(f"/orders/{order.pk}/")
    tab.get_by_role("link", name="Cancel the order").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Cancel this order?")).to_be_visible()
    tab.get_by_role("button", name="Cancel the order").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator(".notices")).to_contain_text("The cancel is recorded")
    expect(tab.locator(".outcome")).to_contain_text("Cancel pending.")
    expect(tab.get_by_role("link", name="Cancel the order")).to_have_count(0)
    assert OrderRequest.objects.get().kind == "CANCEL"
    tab.goto("/orders/")
    expect(tab.locator(".cell-status")).to_contain_text("Cancel pending")


def test_what_the_broker_says_of_a_cancel_appears_by_itself(tab: Page, ann: User) -> None:
    order = make_order(make_account(ann), "NEW", ord_type="LIMIT", price=187, received_at=timezone.now())
    make_request(order, recorded_at=timezone.now())
    tab.goto(f"/orders/{order.pk}/")
    expect(tab.locator(".outcome")).to_contain_text("Cancel pending.")
    OrderRequest.objects.update(status="REFUSED", answered_at=timezone.now(), text="not cancelable")
    expect(tab.locator("#live")).to_contain_text("The broker refused to cancel the order. Not cancelable.")
    expect(tab.get_by_role("link", name="Cancel the order")).to_be_visible()


def test_replacing_the_price_only(tab: Page, ann: User) -> None:
    order = make_order(make_account(ann), "NEW", ord_type="LIMIT", price=187)
    running_fleet()
    tab.goto(f"/orders/{order.pk}/")
    tab.get_by_role("link", name="Replace").click()
    price = tab.get_by_label("Limit price")
    expect(price).to_have_value("187.00")
    expect(tab.get_by_label("Stop price")).to_have_count(0)
    price.fill("dear")
    tab.get_by_role("button", name="Replace the order").click()
    expect(price).to_be_focused()
    expect(price).to_have_accessible_description("Limit price is not a plain decimal number.")
    price.fill("188.5")
    tab.get_by_role("button", name="Replace the order").click()
    expect(tab.locator(".outcome")).to_contain_text("Replace pending: limit price 188.50.")
    request = OrderRequest.objects.get()
    assert (request.order_qty, request.price) == (None, Decimal("188.5"))
