"""The strategies' page in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.pages.rows import make_strategy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_copying_a_webhook_and_pausing_a_strategy(tab: Page, ann: User) -> None:
    make_strategy(ann, token="abc123")
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto("/strategies/")
    tab.get_by_role("button", name="Copy the webhook URL of Breakout").click()
    expect(tab.get_by_text("Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()").endswith("/webhook/tradingview/abc123")
    tab.get_by_role("button", name="Pause Breakout").click()
    expect(tab.get_by_text("Breakout is paused")).to_be_visible()
    expect(tab.get_by_role("button", name="Resume Breakout")).to_be_visible()
