"""The admin in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from orders.models import AttentionItem
from tests.pages.browser.helpers import sign_in
from tests.pages.rows import make_account, make_order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_admin_shows_history_and_resolves_attention(tab: Page, ann: User, server: str) -> None:
    order = make_order(make_account(ann))
    item = AttentionItem.objects.create(user=ann, order=order, kind="OVERFILL", detail="1 too many")
    operator = User.objects.create(username="operator", is_staff=True, is_superuser=True)
    sign_in(tab, server, operator)
    tab.goto("/orders/")
    tab.get_by_role("link", name="Admin").click()
    tab.goto(f"/admin/orders/order/{order.pk}/change/")
    expect(tab.get_by_text(order.cl_ord_id).first).to_be_visible()
    expect(tab.locator("[name=_save]")).to_have_count(0)
    tab.goto("/admin/orders/attentionitem/")
    tab.locator(".action-select").check()
    tab.locator("select[name=action]").select_option("Resolve with the reason")
    tab.locator("input[name=reason]").fill("Booked by hand")
    tab.get_by_role("button", name="Go").click()
    expect(tab.get_by_text("Resolved: 1.")).to_be_visible()
    item.refresh_from_db()
    assert item.resolution == "operator: Booked by hand"
