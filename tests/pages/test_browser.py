"""The pages in a real browser, against a server of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from orders.models import AttentionItem, Heartbeat, Order, OrderRequest
from tests.pages.rows import (
    PASSWORD,
    become,
    make_account,
    make_event,
    make_fill,
    make_order,
    make_request,
    make_strategy,
    make_trader,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHECKOUT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, static_files: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run the web process against the test database, as the runtime role; the value is its address."""
    database = connections["default"].settings_dict
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": f"postgres://{database['USER']}@/{database['NAME']}?host={quote(database['HOST'])}",
        "ORDER_BUDGET_SECONDS": "0.5",
        "BASE_URL": f"http://127.0.0.1:{port}",
    }
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "uvicorn", "tradingsite.asgi:application", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=out, stderr=out)
    try:
        _wait_for(f"http://127.0.0.1:{port}/login/", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error}\n{log.read_text()}") from error
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(f"no answer from {url}\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright's event loop runs in this thread, in which the tests write their rows.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser has complained of: violations of the content policy, errors in scripts."""
    return []


@pytest.fixture
def tab(browser: Browser, server: str, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=server)
    context.set_default_timeout(10_000)
    tab = context.new_page()

    def note(message: ConsoleMessage) -> None:
        # Chromium also reports every answer of 400 and above; those are meant.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    tab.on("console", note)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


@pytest.fixture
def ann(tab: Page) -> User:
    """Ann, signed in."""
    ann = make_trader("ann", time_zone="Europe/Berlin", password=PASSWORD)
    _sign_in(tab, "ann")
    return ann


def _sign_in(tab: Page, username: str) -> None:
    tab.goto("/login/")
    tab.get_by_label("User name").fill(username)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("heading", name="Orders", exact=True)).to_be_visible()


def _sticking_out(tab: Page) -> list[str]:
    """Return what makes the page scroll sideways; elements that scroll by themselves are meant to."""
    found: list[str] = tab.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
        [...document.querySelectorAll("body *")]
          .filter((element) => element.getBoundingClientRect().right > window.innerWidth)
          .map((element) => `${element.tagName}.${element.className}: ${element.textContent.trim()}`)"""
    )
    return found


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


def test_a_page_left_open_past_its_session_leads_to_the_login(tab: Page, ann: User) -> None:
    make_order(make_account(ann), "NEW", received_at=timezone.now())
    tab.goto("/orders/")
    tab.context.clear_cookies()
    expect(tab.get_by_role("heading", name="Log in")).to_be_visible()


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


def _running_fleet() -> None:
    Heartbeat.objects.create(name="fleet@test", part="fleet", at=timezone.now())


def test_a_double_click_places_one_order_and_its_page_follows(tab: Page, ann: User) -> None:
    make_account(ann)
    _running_fleet()
    tab.goto("/orders/new/")
    tab.get_by_label("Symbol").fill("AAPL")
    tab.get_by_label("Quantity").fill("1")
    tab.get_by_role("button", name="Place the order").dblclick()
    expect(tab.get_by_role("heading", name="Buy 1 AAPL")).to_be_visible()
    expect(tab.locator(".outcome")).to_contain_text("waits for the trader's worker")
    assert Order.objects.count() == 1


def test_going_back_and_sending_again_leads_to_the_same_order(tab: Page, ann: User) -> None:
    make_account(ann)
    _running_fleet()
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
    _running_fleet()
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
            assert _sticking_out(tab) == [], f"{what} at {width}"
            assert tab.evaluate(CONTRAST) == [], f"{what} at {width}"


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
    for width in (320, 390, 800, 1100):
        tab.set_viewport_size({"width": width, "height": 844})
        for url in ("/orders/", f"/orders/{order.pk}/", "/orders/new/", "/strategies/", "/nothing/"):
            tab.goto(url)
            assert _sticking_out(tab) == [], f"{url} at {width}"


def test_text_stands_out_from_its_ground(tab: Page, ann: User) -> None:
    account = make_account(ann)
    for ord_status in ("NEW", "SUBMITTED", "FILLED", "REJECTED", "CANCELED", "INITIALIZED"):
        make_order(account, ord_status, side="SELL" if ord_status == "NEW" else "BUY")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.goto("/orders/")
        assert tab.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((channels(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const speaks = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!speaks || !element.checkVisibility()) continue;
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


def test_the_admin_shows_history_and_resolves_attention(tab: Page, ann: User) -> None:
    order = make_order(make_account(ann))
    item = AttentionItem.objects.create(user=ann, order=order, kind="OVERFILL", detail="1 too many")
    operator = User.objects.create(username="operator", is_staff=True, is_superuser=True)
    operator.set_password(PASSWORD)
    operator.save()
    tab.context.clear_cookies()
    _sign_in(tab, "operator")
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
