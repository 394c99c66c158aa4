"""Closing positions, comparing accounts, and the rules of trading, in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from orders.models import Errand, ExitRules, Order, Strategy
from tests.pages.browser.helpers import running_fleet
from tests.pages.rows import make_account, make_position, make_strategy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_closing_one_position_asks_first_and_closes_only_that(tab: Page, ann: User) -> None:
    running_fleet()
    account = make_account(ann)
    make_position(account)
    make_position(account, "MSFT", "-3")
    tab.goto("/positions/")
    tab.get_by_role("link", name="Close AAPL in Paper").click()
    expect(tab.get_by_role("heading", name="Close AAPL?")).to_be_visible()
    tab.get_by_role("link", name="Keep it").click()
    expect(tab.get_by_role("heading", name="Positions")).to_be_visible()
    assert not Order.objects.exists()
    tab.get_by_role("link", name="Close AAPL in Paper").click()
    tab.get_by_role("button", name="Cancel and close").press("Enter")
    expect(tab.get_by_text("Not closed yet: AAPL")).to_be_visible()  # no worker runs here
    [order] = Order.objects.all()
    assert (order.symbol, order.side, order.position_effect, order.closes_whole) == (
        "AAPL",
        "SELL",
        "CLOSE",
        True,
    )


def test_closing_everything(tab: Page, ann: User) -> None:
    running_fleet()
    account = make_account(ann)
    make_position(account)
    make_position(account, "MSFT", "-3")
    tab.goto("/positions/")
    tab.get_by_role("link", name="Close everything").click()
    expect(tab.get_by_role("listitem").filter(has_text="MSFT")).to_contain_text("Short 3 MSFT")
    tab.get_by_role("button", name="Cancel and close").click()
    expect(tab.get_by_text("Not closed yet: AAPL")).to_be_visible()
    assert set(Order.objects.values_list("symbol", "side")) == {("AAPL", "SELL"), ("MSFT", "BUY")}


def test_without_a_position_there_is_nothing_to_press(tab: Page, ann: User) -> None:
    make_account(ann)
    tab.goto("/positions/flatten?symbol=AAPL")
    expect(tab.get_by_text("No position is open here.")).to_be_visible()
    expect(tab.get_by_role("button", name="Cancel and close")).to_have_count(0)


def test_an_account_is_compared_when_somebody_wants_to_know(tab: Page, ann: User) -> None:
    account = make_account(ann)
    tab.goto("/orders/")
    tab.get_by_role("navigation", name="Main").get_by_role("link", name="Accounts").click()
    expect(tab.get_by_text("Not compared with its broker yet.")).to_be_visible()
    tab.get_by_role("button", name="Compare now").click()
    expect(tab.get_by_text("Paper is being compared with its broker.")).to_be_visible()
    expect(tab.get_by_text("To be compared again")).to_be_visible()
    assert Errand.objects.get().account_id == account.pk


def test_exit_rules_are_kept_and_a_wrong_one_is_told_beside_its_field(tab: Page, ann: User) -> None:
    make_strategy(ann)
    tab.goto("/strategies/")
    tab.get_by_role("link", name="Exit rules for every trade").click()
    tab.get_by_label("Stop loss").fill("a lot")
    tab.get_by_role("button", name="Save the rules").click()
    expect(tab.get_by_text("Nothing was changed.")).to_be_visible()
    expect(tab.get_by_label("Stop loss")).to_have_attribute("aria-invalid", "true")
    tab.get_by_label("Stop loss").fill("2.5")
    tab.get_by_role("button", name="Save the rules").click()
    expect(tab.get_by_text("The exit rules of your trades count from the next look on.")).to_be_visible()
    assert ExitRules.objects.get().stop_loss_pct == 2.5


def test_how_much_a_strategy_trades_is_changed(tab: Page, ann: User) -> None:
    strategy = make_strategy(ann)
    tab.goto("/strategies/")
    tab.get_by_role("link", name="Change how much Breakout trades").click()
    tab.get_by_label("An entry without a quantity trades").select_option("CASH")
    tab.get_by_label("Amount or percentage").fill("500")
    tab.get_by_role("button", name="Keep this").click()
    expect(tab.get_by_text("Breakout is sized by this from its next alert on.")).to_be_visible()
    kept = Strategy.objects.get(pk=strategy.pk)
    assert (kept.sizing_method, kept.sizing_value) == ("CASH", 500)
