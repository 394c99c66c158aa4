"""Cancel and replace on an order's pages: what is offered, asked, and said afterwards."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from brokers.models import BrokerAccount
from orders.intake.fields import FieldCode, FieldError
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.intake.replace_request import ReplaceTerms
from orders.models import Order, OrderRequest
from orders.views import order_requests
from tests.pages.rows import make_order, make_request

LIMIT = {"ord_type": "LIMIT", "price": Decimal("187.50"), "order_qty": "10"}


def resting(account: BrokerAccount, ord_status: str = "NEW", **fields: Any) -> Order:
    return make_order(account, ord_status, **(LIMIT | fields))


def url(order: Order, what: str = "") -> str:
    return f"/orders/{order.pk}/{what}"


class Desk:
    """Stands in for the desk: keeps what it was asked, answers as it was told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: OrderRequest | Problem | None = None

    async def ask(self, **asked: Any) -> OrderRequest:
        self.asked.append(asked)
        if isinstance(self.answer, Problem):
            raise ProblemError(self.answer)
        assert self.answer is not None
        return self.answer


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(order_requests, "cancel_order", desk.ask)
    monkeypatch.setattr(order_requests, "replace_order", desk.ask)
    return desk


def form_of(page: Client, order: Order) -> dict[str, str]:
    """Return what a browser would send back of the replace form, untouched."""
    html = page.get(url(order, "replace")).content.decode()
    fields = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', html)
    return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


# --- what is offered ---


@pytest.mark.parametrize(
    ("fields", "cancel", "replace"),
    [
        ({}, True, True),
        ({"ord_status": "PARTIALLY_FILLED", "cum_qty": "4"}, True, True),
        ({"ord_status": "INITIALIZED"}, True, True),
        ({"ord_type": "MARKET", "price": None}, True, False),
        ({"ord_status": "PENDING_CANCEL"}, True, False),
        ({"ord_status": "FILLED"}, False, False),
        ({"ord_status": "CANCELED"}, False, False),
    ],
)
def test_what_the_page_offers_fits_the_order(
    page: Client, account: BrokerAccount, fields: dict[str, Any], cancel: bool, replace: bool
) -> None:
    order = resting(account, **fields)
    html = page.get(url(order)).content.decode()
    assert (url(order, "cancel") in html, url(order, "replace") in html) == (cancel, replace)


@pytest.mark.parametrize(("kind", "cancel"), [("CANCEL", False), ("REPLACE", True)])
def test_what_is_under_way_is_shown_and_not_offered_again(
    page: Client, account: BrokerAccount, kind: str, cancel: bool
) -> None:
    order = resting(account)
    terms = {"order_qty": "12", "price": "99.5"} if kind == "REPLACE" else {}
    make_request(order, kind, "PENDING", **terms)
    html = page.get(url(order)).content.decode()
    assert (url(order, "cancel") in html, url(order, "replace") in html) == (cancel, False)
    if kind == "CANCEL":
        assert "Cancel pending." in html
    else:
        assert "Replace pending: quantity 12, limit price 99.50." in html
    assert f"{kind.capitalize()} pending" in page.get("/orders/").content.decode()


def test_answered_requests_stay_on_the_orders_page_and_off_the_list(
    page: Client, account: BrokerAccount
) -> None:
    order = resting(account)
    request = make_request(order, "REPLACE", "REFUSED", order_qty="12", text="too late in the day")
    html = page.get(url(order)).content.decode()
    assert "The broker refused to replace the order. Too late in the day. The order stands as it was." in html
    assert request.cl_ord_id in html
    assert "pending" not in page.get("/orders/").content.decode()


# --- cancel ---


def test_the_page_asks_before_it_cancels_and_only_a_post_does(
    page: Client, account: BrokerAccount, desk: Desk
) -> None:
    order = resting(account)
    html = page.get(url(order, "cancel")).content.decode()
    assert "Cancel this order?" in html
    assert '<form class="card" method="post"' in html
    assert desk.asked == []


def test_a_cancel_goes_to_the_desk_and_its_outcome_is_said(
    page: Client, ann: User, account: BrokerAccount, desk: Desk
) -> None:
    order = resting(account, "CANCELED", cum_qty="4")
    desk.answer = make_request(order, status="ACCEPTED")
    response = page.post(url(order, "cancel"), follow=True)
    assert response.redirect_chain == [(url(order), 302)]
    assert said(response) == ["The order is canceled. 4 of 10 were filled before."]
    [asked] = desk.asked
    assert (asked["user"], asked["order_id"], asked["source"]) == (ann, order.pk, "dashboard")
    assert asked["budget"].seconds == 30


@pytest.mark.parametrize(
    ("ord_status", "kind", "status", "fields", "words"),
    [
        ("DENIED", "CANCEL", "ACCEPTED", {}, "The order was canceled before it was sent."),
        ("FILLED", "CANCEL", "MOOT", {}, "Too late: the order was filled before the broker could cancel it."),
        ("FILLED", "REPLACE", "MOOT", {}, "Too late: the order was filled before the broker could replace it."),
        ("EXPIRED", "CANCEL", "MOOT", {}, "Too late: the order had ended before. It is expired."),
        ("NEW", "CANCEL", "REFUSED", {"text": "not cancelable."}, "The broker refused to cancel the order. "
         "Not cancelable. The order stands as it was."),
        ("NEW", "REPLACE", "DENIED", {"reason": "TOO_OLD"}, "The desk did not send the replace. Too old."),
        ("NEW", "REPLACE", "ACCEPTED", {"price": "99.5"}, "The order is replaced: limit price 99.50."),
        ("NEW", "CANCEL", "RECORDED", {}, "The cancel is recorded and about to be sent."),
        ("SUBMITTED", "CANCEL", "RECORDED", {}, "The cancel is recorded and goes out once the broker works the order."),
        ("NEW", "CANCEL", "SENT", {"recorded_at": None}, "The cancel was sent; the broker's answer is awaited."),
        ("NEW", "CANCEL", "SENT", {}, "The cancel was sent and the broker has not said what became of it. The desk "
         "asks until it knows; meanwhile the order may still be filled as it was."),
        ("PENDING_CANCEL", "CANCEL", "PENDING", {}, "The broker has taken the cancel; until it confirms, the order "
         "may still be filled as it was."),
    ],
)  # fmt: skip
def test_every_outcome_has_its_words(
    page: Client,
    account: BrokerAccount,
    desk: Desk,
    ord_status: str,
    kind: str,
    status: str,
    fields: dict[str, Any],
    words: str,
) -> None:
    order = resting(account, ord_status)
    if "recorded_at" in fields:
        fields = fields | {"recorded_at": timezone.now()}
    desk.answer = make_request(order, kind, status, **fields)
    desk.answer.order.refresh_from_db()
    desk.answer.refresh_from_db()
    assert said(page.post(url(order, "cancel"), follow=True)) == [words]


def test_a_refusal_is_told_on_the_orders_page(page: Client, account: BrokerAccount, desk: Desk) -> None:
    order = resting(account)
    desk.answer = Problem(ProblemType.ORDER_ENDED, "The order has ended: it is FILLED.")
    response = page.post(url(order, "cancel"), follow=True)
    assert said(response) == ["The order has ended. The order has ended: it is FILLED."]


def test_who_comes_too_late_to_be_asked_is_led_back(page: Client, account: BrokerAccount) -> None:
    order = make_order(account)
    for what in ("cancel", "replace"):
        response = page.get(url(order, what), follow=True)
        assert response.redirect_chain == [(url(order), 302)]
        assert "does not take that any more" in said(response)[0]


@pytest.mark.parametrize("what", ["cancel", "replace"])
def test_anothers_order_is_not_found(
    page: Client, bobs_account: BrokerAccount, desk: Desk, what: str
) -> None:
    order = resting(bobs_account)
    assert page.get(url(order, what)).status_code == 404
    assert page.post(url(order, what), {}).status_code == 404
    assert desk.asked == []


@pytest.mark.parametrize("what", ["cancel", "replace"])
def test_who_is_not_signed_in_asks_for_nothing(
    client: Client, account: BrokerAccount, desk: Desk, what: str
) -> None:
    order = resting(account)
    assert client.get(url(order, what))["Location"].startswith("/login/")
    assert client.post(url(order, what))["Location"].startswith("/login/")
    assert desk.asked == []


@pytest.mark.parametrize("what", ["cancel", "replace"])
def test_without_its_token_nothing_is_asked(ann: User, account: BrokerAccount, desk: Desk, what: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    assert client.post(url(resting(account), what)).status_code == 403
    assert desk.asked == []


# --- replace ---


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, {"order_qty": "10", "price": "187.50"}),
        (
            {"ord_type": "STOP", "price": None, "stop_px": Decimal(190)},
            {"order_qty": "10", "stop_px": "190.00"},
        ),
        (
            {"ord_type": "STOP_LIMIT", "stop_px": Decimal(190)},
            {"order_qty": "10", "stop_px": "190.00", "price": "187.50"},
        ),
    ],
)
def test_the_form_holds_the_terms_that_the_type_has(
    page: Client, account: BrokerAccount, fields: dict[str, Any], shown: dict[str, str]
) -> None:
    form = form_of(page, resting(account, **fields))
    assert {name: value for name, value in form.items() if name in ("order_qty", "price", "stop_px")} == shown


def test_only_what_was_changed_is_asked_for_whatever_the_order_has_become(
    page: Client, ann: User, account: BrokerAccount, desk: Desk
) -> None:
    order = resting(account)
    form = form_of(page, order)
    Order.objects.filter(pk=order.pk).update(price=Decimal(150))
    desk.answer = make_request(order, "REPLACE", "PENDING", order_qty="12")
    page.post(url(order, "replace"), form | {"order_qty": "12"})
    [asked] = desk.asked
    assert asked["request"].terms == ReplaceTerms(order_qty=Decimal(12))
    assert (asked["user"], asked["order_id"], asked["source"]) == (ann, order.pk, "dashboard")
    assert asked["idempotency_key"] == f"form-{form['form_id']}"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"__all__": ["Nothing has been changed."]}),
        ({"order_qty": ""}, {"order_qty": ["Quantity is required."]}),
        ({"price": "x"}, {"price": ["Limit price is not a plain decimal number."]}),
        ({"price": "-1"}, {"price": ["Limit price must be above 0 and below 1000000000000."]}),
        ({"form_id": "x", "price": "1"}, {"form_id": ["Enter a valid UUID."]}),
        ({"order_qty": "5\x00"}, {"order_qty": ["Null characters are not allowed."]}),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_asked(
    page: Client, account: BrokerAccount, desk: Desk, fields: dict[str, str], expected: dict[str, list[str]]
) -> None:
    order = resting(account)
    response = page.post(url(order, "replace"), form_of(page, order) | fields)
    assert response.status_code == 422
    assert response.context["form"].errors == expected
    assert desk.asked == []


def test_the_desks_own_errors_stand_beside_their_fields(
    page: Client, account: BrokerAccount, desk: Desk
) -> None:
    order = resting(account)
    wrong = FieldError("order_qty", FieldCode.OUT_OF_RANGE, "must be above the 4 that are filled")
    desk.answer = Problem(ProblemType.INVALID_REQUEST, "1 field is wrong.", errors=[wrong])
    response = page.post(url(order, "replace"), form_of(page, order) | {"order_qty": "3"})
    assert response.status_code == 400
    assert response.context["form"].errors == {"order_qty": ["Quantity must be above the 4 that are filled."]}


def test_a_form_that_was_sent_before_can_be_sent_again(
    page: Client, account: BrokerAccount, desk: Desk
) -> None:
    order = resting(account)
    form = form_of(page, order)
    desk.answer = Problem(ProblemType.IDEMPOTENCY_CONFLICT, "Used.", extra={"order_id": str(order.pk)})
    response = page.post(url(order, "replace"), form | {"order_qty": "12"})
    html = response.content.decode()
    assert response.status_code == 409
    assert 'value="12"' in html
    assert form["form_id"] not in html


async def redis_is_there() -> None:
    """Stand in for the look at Redis, whose connection would outlive the client's event loop."""


@pytest.mark.django_db(transaction=True)  # the desk looks from a thread of its own
def test_the_desk_itself_refuses_a_replace_while_no_fleet_runs(
    page: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.views.requesting.require_redis", redis_is_there)
    order = resting(account)
    response = page.post(url(order, "replace"), form_of(page, order) | {"order_qty": "12"})
    assert response.status_code == 503
    assert "No fleet is running" in response.content.decode()
    assert not OrderRequest.objects.exists()
