"""The form of a manual order: what it takes, what it says, and that it places one order once."""

import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from brokers.types import OrdType, PositionEffect, Side, TimeInForce
from orders.intake.fields import FieldCode, FieldError
from orders.intake.problem import Problem, ProblemError, ProblemType
from orders.intake.protective import ProtectiveExit
from orders.models import Order
from orders.views import order_new
from orders.views.placing import PlacedOrder
from tests.factories.hours import close_market
from tests.pages.rows import make_account, make_order

URL = "/orders/new/"


class Desk:
    """Stands in for the placing of an order: keeps what it was asked, answers as it was told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: PlacedOrder | Problem | None = None

    async def place_order(self, **asked: Any) -> PlacedOrder:
        self.asked.append(asked)
        if isinstance(self.answer, Problem):
            raise ProblemError(self.answer)
        assert self.answer is not None
        return self.answer


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, account: BrokerAccount) -> Desk:
    desk = Desk()
    desk.answer = PlacedOrder(make_order(account), answered=True)
    monkeypatch.setattr(order_new, "place_order", desk.place_order)
    return desk


def filled_in(chosen: BrokerAccount, /, **fields: str) -> dict[str, str]:
    plain = {
        "form_id": "6f8b9c3e-0c1d-4a57-9a51-9c0f8d1c2b3a",
        "account": str(chosen.pk),
        "symbol": "nasdaq:aapl",
        "side": "BUY",
        "position_effect": "OPEN",
        "order_qty": "10",
        "ord_type": "MARKET",
        "time_in_force": "DAY",
    }
    return plain | fields


def errors(response: Any) -> dict[str, list[str]]:
    return {name: list(messages) for name, messages in response.context["form"].errors.items()}


def test_who_is_not_signed_in_places_nothing(client: Client, desk: Desk, account: BrokerAccount) -> None:
    assert client.get(URL)["Location"].startswith("/login/")
    assert client.post(URL, filled_in(account))["Location"].startswith("/login/")
    assert desk.asked == []


def test_a_market_order_goes_to_the_desk_as_it_was_filled_in(
    page: Client, ann: User, desk: Desk, account: BrokerAccount
) -> None:
    response = page.post(URL, filled_in(account))
    assert isinstance(desk.answer, PlacedOrder)
    assert response["Location"] == f"/orders/{desk.answer.order.pk}/"
    [asked] = desk.asked
    assert (asked["user"], asked["account_id"], asked["source"]) == (ann, account.pk, "dashboard")
    assert asked["idempotency_key"] == "form-6f8b9c3e-0c1d-4a57-9a51-9c0f8d1c2b3a"
    assert asked["budget"].seconds == 30
    request = asked["request"]
    assert (request.symbol, request.exchange, request.side) == ("AAPL", "NASDAQ", Side.BUY)
    assert (request.quantity, request.ord_type, request.price) == (Decimal(10), OrdType.MARKET, None)
    assert (request.position_effect, request.time_in_force) == (PositionEffect.OPEN, TimeInForce.DAY)


def test_a_stop_limit_order_carries_both_prices(page: Client, desk: Desk, account: BrokerAccount) -> None:
    fields = {"ord_type": "STOP_LIMIT", "price": "182.50", "stop_px": ".75", "time_in_force": "GTC"}
    page.post(URL, filled_in(account, side="SELL", **fields))
    request = desk.asked[0]["request"]
    assert (request.price, request.stop_px) == (Decimal("182.50"), Decimal("0.75"))
    assert (request.side, request.time_in_force) == (Side.SELL, TimeInForce.GTC)


def test_an_exit_without_a_quantity_closes_the_whole_position(
    page: Client, desk: Desk, account: BrokerAccount
) -> None:
    page.post(URL, filled_in(account, position_effect="CLOSE", order_qty=""))
    assert desk.asked[0]["request"].quantity is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order_qty": ""}, {"order_qty": ["Quantity is required."]}),
        ({"order_qty": "ten"}, {"order_qty": ["Quantity is not a plain decimal number."]}),
        ({"order_qty": "1e309"}, {"order_qty": ["Quantity is not a plain decimal number."]}),
        ({"order_qty": "NaN"}, {"order_qty": ["Quantity is not a plain decimal number."]}),
        ({"order_qty": "-1"}, {"order_qty": ["Quantity must be above 0 and below 1000000000000."]}),
        ({"symbol": ""}, {"symbol": ["Symbol is required."]}),
        ({"ord_type": "LIMIT"}, {"price": ["Limit price is required for a limit order."]}),
        ({"ord_type": "STOP_LIMIT", "price": "1"}, {"stop_px": None}),
        ({"price": "1"}, {"price": ["Limit price does not go with a market order."]}),
        ({"account": ""}, {"account": ["Choose an account."]}),
        ({"account": "x"}, {"account": None}),
        ({"side": "HOLD"}, {"side": None}),
        ({"ord_type": "TRAILING_STOP"}, {"ord_type": None}),
        ({"form_id": "x"}, {"form_id": None}),
        ({"symbol": "AA\x00"}, {"symbol": None}),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_placed(
    page: Client, desk: Desk, account: BrokerAccount, fields: dict[str, str], expected: dict[str, Any]
) -> None:
    response = page.post(URL, filled_in(account, **fields))
    assert response.status_code == 422
    found = errors(response)
    for name, messages in expected.items():
        assert name in found
        assert messages is None or found[name] == messages
    assert desk.asked == []


def test_every_wrong_field_is_told_at_once_and_what_was_filled_in_stays(
    page: Client, desk: Desk, account: BrokerAccount
) -> None:
    response = page.post(URL, filled_in(account, symbol="MSFT", order_qty="x", ord_type="STOP_LIMIT"))
    assert set(errors(response)) == {"order_qty", "price", "stop_px"}
    html = response.content.decode()
    assert 'value="MSFT"' in html
    assert 'value="6f8b9c3e-0c1d-4a57-9a51-9c0f8d1c2b3a"' in html
    assert re.search(r'aria-invalid="true"[^>]*aria-describedby="[^"]*id_order_qty_error', html)


def test_another_traders_account_is_no_choice(
    page: Client, desk: Desk, account: BrokerAccount, bobs_account: BrokerAccount
) -> None:
    response = page.post(URL, filled_in(bobs_account))
    assert "account" in errors(response)
    assert desk.asked == []


def test_accounts_without_real_money_come_first(page: Client, ann: User, account: BrokerAccount) -> None:
    make_account(ann, "A live one", broker="alpaca", simulation=False)
    html = page.get(URL).content.decode()
    assert html.index("Paper, simulation") < html.index("A live one, real money")


def test_a_closed_market_is_told_with_its_next_opening(
    page: Client, ann: User, account: BrokerAccount
) -> None:
    assert "is closed" not in page.get(URL).content.decode()
    make_account(ann, "A live one", broker="alpaca", simulation=False)
    opens_at = close_market("XNYS")
    close_market("XTAI")  # none of ann's accounts trades there
    html = page.get(URL).content.decode()
    assert html.count("is closed; it opens on") == 1
    assert "A live one: The New York Stock Exchange is closed" in html
    assert f"{opens_at:%Y-%m-%d %H:%M} UTC" in html
    assert "exits are sent" in html


def test_each_form_shown_has_an_id_of_its_own(page: Client, account: BrokerAccount) -> None:
    seen = {
        re.search(r'name="form_id" value="([^"]+)"', page.get(URL).content.decode())[1]  # type: ignore[index]
        for _ in range(3)
    }
    assert len({uuid.UUID(form_id) for form_id in seen}) == 3


def test_a_form_sent_twice_leads_to_the_order_that_it_placed(
    page: Client, desk: Desk, account: BrokerAccount
) -> None:
    desk.answer = PlacedOrder(make_order(account), answered=True, repeated=True)
    response = page.post(URL, filled_in(account), follow=True)
    assert response.redirect_chain == [(f"/orders/{desk.answer.order.pk}/", 302)]
    assert "This form had been sent before." in response.content.decode()


def test_a_form_that_has_changed_since_it_placed_an_order_can_be_sent_again(
    page: Client, desk: Desk, account: BrokerAccount
) -> None:
    first = make_order(account)
    conflict = Problem(ProblemType.IDEMPOTENCY_CONFLICT, "Used before.", extra={"order_id": str(first.pk)})
    desk.answer = conflict
    response = page.post(URL, filled_in(account))
    html = response.content.decode()
    assert response.status_code == 409
    assert f'<a href="/orders/{first.pk}/">an order</a>' in html
    assert "6f8b9c3e-0c1d-4a57-9a51-9c0f8d1c2b3a" not in html


@pytest.mark.parametrize(
    "kind", [ProblemType.DAILY_LIMIT, ProblemType.SERVICE_UNAVAILABLE, ProblemType.TERMS_NOT_ACCEPTED]
)
def test_a_refusal_is_told_and_the_form_keeps_its_id(
    page: Client, desk: Desk, account: BrokerAccount, kind: ProblemType
) -> None:
    desk.answer = Problem(kind, "Not now, because of <this>.")
    response = page.post(URL, filled_in(account))
    html = response.content.decode()
    assert response.status_code == kind.status
    assert "Not now, because of &lt;this&gt;." in html
    assert "6f8b9c3e-0c1d-4a57-9a51-9c0f8d1c2b3a" in html


def test_the_desks_own_field_errors_stand_beside_their_fields(
    page: Client, desk: Desk, account: BrokerAccount
) -> None:
    wrong = FieldError("quantity", FieldCode.OUT_OF_RANGE, "is more than the position holds")
    desk.answer = Problem(ProblemType.INVALID_ORDER, "1 field is wrong.", errors=[wrong])
    response = page.post(URL, filled_in(account))
    assert errors(response) == {"order_qty": ["Quantity is more than the position holds."]}


def test_without_its_token_the_form_is_not_taken(ann: User, desk: Desk, account: BrokerAccount) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    response = client.post(URL, filled_in(account))
    assert response.status_code == 403
    assert "nothing has been placed" in response.content.decode()
    assert desk.asked == []


def test_who_has_no_account_is_told_so(page: Client) -> None:
    assert "There is no account to trade" in page.get(URL).content.decode()


async def redis_is_there() -> None:
    """Stand in for the look at Redis, whose connection would outlive the client's event loop."""


@pytest.mark.django_db(transaction=True)  # the desk looks from a thread of its own
def test_the_desk_refuses_by_itself_while_no_fleet_runs(
    page: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.views.placing.require_redis", redis_is_there)
    response = page.post(URL, filled_in(account))
    assert response.status_code == 503
    assert not Order.objects.exists()


def test_protective_exits_are_prices_or_percentages(page: Client, account: BrokerAccount, desk: Desk) -> None:
    fields = filled_in(account, stop_loss="2 %", take_profit=".5", trailing="")
    fields |= {"side": "SELL"}
    page.post(URL, fields)
    (asked,) = desk.asked
    request = asked["request"]
    assert request.stop_loss == ProtectiveExit(percent=Decimal(2))
    assert request.take_profit == ProtectiveExit(price=Decimal("0.5"))
    assert request.trailing is None


def test_a_wrong_protective_exit_is_shown_at_its_field(
    page: Client, account: BrokerAccount, desk: Desk
) -> None:
    answer = page.post(URL, filled_in(account, stop_loss="200%")).content.decode()
    assert desk.asked == []
    assert "id_stop_loss_error" in answer
