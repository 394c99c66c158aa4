"""``POST /api/v1/orders``: what is recorded, and what the sender is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from brokers.models import BrokerAccount

# The recording runs in a thread with a connection of its own, so the rows have to be committed.
pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = "/api/v1/orders"
BUY = {"symbol": "AAPL", "side": "buy", "quantity": "2.5"}


def post(api: Client, body: Any = BUY, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response: HttpResponse = api.post(ORDERS, raw, content_type="application/json", headers=names)
    return response


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch, account: BrokerAccount) -> list[int]:
    """A desk with a living fleet whose workers never answer; the list is of the traders that were rung for."""
    from django.utils import timezone

    from orders.models import Heartbeat
    from orders.views import placing, waiting

    async def redis_is_there() -> None:
        return None

    bells: list[int] = []
    monkeypatch.setattr(placing, "require_redis", redis_is_there)
    monkeypatch.setattr(waiting, "hand_over", bells.append)
    Heartbeat.objects.create(name="fleet.test", part=Heartbeat.Part.FLEET, at=timezone.now())
    return bells


def answer_with(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> list[dict[str, Any]]:
    """Let placing end as told; the list is of the arguments that it was given."""
    from orders.api import orders
    from orders.views.placing import PlacedOrder

    calls: list[dict[str, Any]] = []

    async def place(**arguments: Any) -> PlacedOrder:
        calls.append(arguments)
        return PlacedOrder(**fields)

    monkeypatch.setattr(orders, "place_order", place)
    return calls


def test_records_rings_and_answers_202_when_nobody_answers(
    api: Client, account: BrokerAccount, rung: list[int]
) -> None:
    from orders.models import Order

    response = post(api, Prefer="wait=0")
    order = Order.objects.get()
    body = response.json()
    assert response.status_code == 202
    assert body["id"] == str(order.id)
    assert body["ord_status"] == "INITIALIZED"
    assert body["order_qty"] == "2.5"
    assert response["Location"] == body["url"]
    assert body["url"].endswith(f"/api/v1/orders/{order.id}")
    assert response["Preference-Applied"] == "wait=0"
    assert order.source == "api"
    assert order.account == account
    assert rung == [account.user_id]
    assert api.get(f"/api/v1/orders/{order.id}").json()["events"][0]["kind"] == "Recorded"


def test_the_same_key_places_one_order(api: Client, rung: list[int]) -> None:
    from orders.models import Order

    first = post(api, Idempotency_Key="k1", Prefer="wait=0").json()
    again = post(api, {"quantity": "2.5", "side": "buy", "symbol": "AAPL"}, Idempotency_Key="k1")
    assert again.status_code == 202
    assert again.json()["id"] == first["id"]
    changed = post(api, BUY | {"quantity": 3}, Idempotency_Key="k1")
    problem = assert_problem(changed, 409, "idempotency-conflict")
    assert problem["order_id"] == first["id"]
    assert Order.objects.count() == 1
    assert len(rung) == 1


def test_the_key_of_another_is_another_key(api: Client, rung: list[int], bobs_account: BrokerAccount) -> None:
    from django.test import Client

    from orders.models import Order
    from orders.services.api_keys import create_api_key

    _, text = create_api_key(user=bobs_account.user, label="")
    bob = Client(headers={"Authorization": f"Bearer {text}"})
    ours = post(api, Idempotency_Key="k1", Prefer="wait=0").json()
    his = post(bob, Idempotency_Key="k1", Prefer="wait=0").json()
    assert ours["id"] != his["id"]
    assert his["account"] == str(bobs_account.id)
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("answered", "repeated", "status"),
    [(True, False, 201), (False, False, 202), (True, True, 200), (False, True, 202)],
)
def test_what_was_placed_is_said_by_the_status(
    api: Client,
    account: BrokerAccount,
    monkeypatch: pytest.MonkeyPatch,
    answered: bool,
    repeated: bool,
    status: int,
) -> None:
    from tests.pages.rows import make_order

    order = make_order(account)
    answer_with(monkeypatch, order=order, answered=answered, repeated=repeated)
    response = post(api)
    assert response.status_code == status
    assert response.json()["id"] == str(order.id)
    assert response.has_header("Location") is (status != 200)
    assert ("url" in response.json()) is (status == 202)


def test_waits_as_long_as_the_desk_or_the_sender_says(
    api: Client, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper
) -> None:
    from tests.pages.rows import make_order

    settings.ORDER_BUDGET_SECONDS = 12.0
    calls = answer_with(monkeypatch, order=make_order(account), answered=True)
    post(api, Idempotency_Key="k")
    post(api, Prefer="wait=3")
    post(api, BUY | {"account": str(account.id)}, Prefer="wait=40")
    assert [call["budget"].seconds for call in calls] == [12.0, 3.0, 12.0]
    assert [call["idempotency_key"] for call in calls] == ["k", None, None]
    assert [call["account_id"] for call in calls] == [None, None, account.id]
    assert {call["source"] for call in calls} == {"api"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b" ", 400, "malformed"),
        (b"[1]", 400, "malformed"),
        (b'{"symbol": "AAPL", "side": "buy", "quantity": NaN}', 400, "malformed"),
        (b'{"symbol": "AAPL", "side": "buy", "quantity": 1, "quantity": 2}', 400, "malformed"),
        (b"[" * 60_000, 400, "malformed"),
        (b'{"symbol": "\xff"}', 400, "malformed"),
        (b'{"symbol": "A\\u0000"}', 400, "malformed"),
        (b"[" * 10_000_000, 413, "body-too-large"),
        (b'{"symbol": "AAPL", "side": "buy", "quantity": 1e309}', 400, "invalid-order"),
        (b'{"symbol": "AAPL", "side": "buy", "quantity": "1_0"}', 400, "invalid-order"),
        (b'{"symbol": "AAPL", "side": "buy", "quantity": 1, "qunatity": 1}', 400, "invalid-order"),
        (b'{"symbol": "AAPL", "side": "buy"}', 400, "invalid-order"),
        (b'{"symbol": "AAPL", "side": "buy", "quantity": 1, "type": "limit"}', 400, "invalid-order"),
    ],
)
def test_what_is_no_order(
    api: Client, account: BrokerAccount, rung: list[int], body: bytes, status: int, code: str
) -> None:
    from orders.models import Order

    assert_problem(post(api, body), status, code)
    assert not Order.objects.exists()
    assert rung == []


def test_a_long_body_without_a_length(api: Client, rung: list[int]) -> None:
    from django.test import RequestFactory

    from orders.api.asynchronous import read_body
    from orders.intake.strict_json import BodyTooLarge

    request = RequestFactory().post(ORDERS, b"[" * 2_000_000, content_type="application/json")
    del request.META["CONTENT_LENGTH"]
    with pytest.raises(BodyTooLarge):
        read_body(request)


def test_ten_is_a_fine_quantity_as_text(api: Client, rung: list[int]) -> None:
    assert post(api, BUY | {"quantity": "10"}, Prefer="wait=0").json()["order_qty"] == "10"


def test_only_json_is_taken(api: Client, rung: list[int]) -> None:
    response = api.post(ORDERS, json.dumps(BUY), content_type="text/plain")
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("header", ["", "a b", "x" * 201, "é"])
def test_a_bad_idempotency_key(api: Client, rung: list[int], header: str) -> None:
    problem: Any = assert_problem(post(api, Idempotency_Key=header), 400, "invalid-order")
    assert problem["errors"][0]["field"] == "Idempotency-Key"


def test_the_gates(api: Client, account: BrokerAccount, rung: list[int]) -> None:
    from orders.models import Order, Trader

    account.verified_at = None
    account.save()
    assert_problem(post(api), 403, "account-not-verified")
    Trader.objects.update(terms_accepted_at=None)
    assert_problem(post(api), 403, "terms-not-accepted")
    assert not Order.objects.exists()


def test_the_account_of_another_is_no_account(
    api: Client, rung: list[int], bobs_account: BrokerAccount
) -> None:
    assert_problem(post(api, BUY | {"account": str(bobs_account.id)}), 403, "no-account")


def test_the_daily_limit(api: Client, rung: list[int]) -> None:
    from orders.models import Trader

    Trader.objects.update(daily_order_limit=1)
    assert post(api, Prefer="wait=0").status_code == 202
    response = post(api, Prefer="wait=0")
    assert_problem(response, 429, "daily-limit")
    assert int(response["Retry-After"]) > 0


def test_without_a_fleet_nothing_is_recorded(api: Client, rung: list[int]) -> None:
    from orders.models import Heartbeat, Order

    Heartbeat.objects.all().delete()
    response = post(api)
    assert_problem(response, 503, "service-unavailable")
    assert int(response["Retry-After"]) > 0
    assert not Order.objects.exists()
