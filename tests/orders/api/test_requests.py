"""``POST /api/v1/orders/{id}/cancel`` and ``…/replace``: what is recorded, and what the sender is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from orders.models import Order
    from tests.factories.traders import Desk

# The recording runs in a thread with a connection of its own, so the rows have to be committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(db: None) -> Desk:
    from tests.factories.traders import make_desk

    return make_desk()


@pytest.fixture
def api(desk: Desk) -> Client:
    from django.test import Client

    from orders.services.api_keys import create_api_key

    _, key = create_api_key(user=desk.user, label="test")
    return Client(headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def order(desk: Desk) -> Order:
    """A limit order for 10 AAPL at 100 that rests at the broker."""
    from brokers.types import ExecType
    from orders.services.changes import Origin
    from orders.services.executions import apply_execution_reports
    from tests.factories.alerts import record_one
    from tests.factories.reports import make_report

    order = record_one(desk, type="limit", price="100")
    apply_execution_reports(
        [make_report(order, ExecType.NEW)], account_id=order.account_id, origin=Origin("stream")
    )
    return order


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A desk with a living fleet whose workers never answer; the list is of the traders that were rung for."""
    from django.utils import timezone

    from orders.models import Heartbeat
    from orders.views import requesting, waiting

    async def redis_is_there() -> None:
        return None

    bells: list[int] = []
    monkeypatch.setattr(requesting, "require_redis", redis_is_there)
    monkeypatch.setattr(requesting, "start_listening", redis_is_there)
    monkeypatch.setattr(waiting, "hand_over", bells.append)
    Heartbeat.objects.create(name="fleet.test", part=Heartbeat.Part.FLEET, at=timezone.now())
    return bells


def post(api: Client, order: Order, what: str, body: Any = b"", **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body)
    names = {"Prefer": "wait=0"} | {name.replace("_", "-"): value for name, value in headers.items()}
    response: HttpResponse = api.post(
        f"/api/v1/orders/{order.id}/{what}", raw, content_type="application/json", headers=names
    )
    return response


def end(order: Order) -> None:
    from brokers.types import ExecType
    from orders.services.changes import Origin
    from orders.services.executions import apply_execution_reports
    from tests.factories.reports import make_report

    report = make_report(order, ExecType.CANCELED)
    apply_execution_reports([report], account_id=order.account_id, origin=Origin("stream"))


# --- cancel ---


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_cancel_is_recorded_rung_for_and_answered_202(
    api: Client, order: Order, rung: list[int], body: bytes
) -> None:
    from orders.models import OrderRequest

    response = post(api, order, "cancel", body)
    request = OrderRequest.objects.get()
    said = response.json()
    assert response.status_code == 202
    assert (said["id"], said["cl_ord_id"]) == (str(request.id), request.cl_ord_id)
    assert (said["kind"], said["status"], said["answered_at"]) == ("CANCEL", "RECORDED", None)
    assert (said["order"]["id"], said["order"]["ord_status"]) == (str(order.id), "NEW")
    assert said["url"] == response["Location"]
    assert said["url"].endswith(f"/api/v1/orders/{order.id}")
    assert response["Preference-Applied"] == "wait=0"
    assert request.source == "api"
    assert rung == [order.user_id]
    [listed] = api.get(f"/api/v1/orders/{order.id}").json()["requests"]
    assert listed == {name: value for name, value in said.items() if name not in ("order", "url")}


def test_an_order_that_was_not_sent_is_denied_and_the_answer_is_200(
    api: Client, desk: Desk, rung: list[int]
) -> None:
    from tests.factories.alerts import record_one

    order = record_one(desk)
    response = post(api, order, "cancel", Prefer="wait=20")
    said = response.json()
    assert response.status_code == 200
    assert not response.has_header("Location")
    assert (said["status"], said["order"]["ord_status"]) == ("ACCEPTED", "DENIED")
    assert said["order"]["reason"] == "CANCELED_BEFORE_SENDING"
    assert "url" not in said
    assert rung == [], "nobody has anything to do"


def test_a_second_cancel_answers_with_the_first(api: Client, order: Order, rung: list[int]) -> None:
    first, second = (post(api, order, "cancel").json()["id"] for _ in range(2))
    assert first == second


def test_an_order_that_has_ended(api: Client, order: Order, rung: list[int]) -> None:
    end(order)
    for what, body in (("cancel", {}), ("replace", {"price": "101"})):
        problem = assert_problem(post(api, order, what, body), 409, "order-ended")
        assert (problem["ord_status"], problem["reason"]) == ("CANCELED", "ORDER_ENDED")
    assert rung == []


def test_anothers_order_and_no_order_at_all(api: Client, rung: list[int]) -> None:
    from brokers.ids import new_id
    from orders.models import Order, OrderRequest
    from tests.factories.alerts import record_one
    from tests.factories.traders import make_desk

    for order in (record_one(make_desk(), type="limit", price="1"), Order(id=new_id())):
        assert_problem(post(api, order, "cancel"), 404, "not-found")
        assert_problem(post(api, order, "replace", {"price": "2"}), 404, "not-found")
    assert not OrderRequest.objects.exists()


def test_a_cancel_needs_neither_redis_nor_a_fleet(api: Client, order: Order, rung: list[int]) -> None:
    from orders.models import Heartbeat

    Heartbeat.objects.all().delete()
    assert post(api, order, "cancel").status_code == 202


def test_a_bell_that_does_not_ring_is_no_error_whatever_the_fault(
    api: Client, order: Order, rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders.views import waiting

    def broken(user_id: int) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(waiting, "hand_over", broken)
    assert post(api, order, "cancel").status_code == 202


# --- replace ---


def test_a_replace_is_recorded_with_its_terms(api: Client, order: Order, rung: list[int]) -> None:
    response = post(api, order, "replace", {"quantity": 12, "price": "99.5"})
    said = response.json()
    assert response.status_code == 202
    assert (said["kind"], said["status"]) == ("REPLACE", "RECORDED")
    assert (said["order_qty"], said["price"], said["stop_px"]) == ("12", "99.5", None)
    assert said["order"]["order_qty"] == "10"
    assert rung == [order.user_id]


@pytest.mark.parametrize(
    ("what", "body", "status", "code", "field"),
    [
        ("cancel", b" ", 400, "malformed", None),
        ("cancel", b"[]", 400, "malformed", None),
        ("cancel", b'{"why": "x"}', 400, "invalid-request", "why"),
        ("replace", b"", 415, "unsupported-media-type", None),  # the client names no type without a body
        ("replace", b"{}", 400, "invalid-request", "order_qty"),
        ("replace", b'{"price": 1, "price": 2}', 400, "malformed", None),
        ("replace", b'{"price": NaN}', 400, "malformed", None),
        ("replace", b'{"price": 1e309}', 400, "invalid-request", "price"),
        ("replace", b'{"price": "101", "side": "sell"}', 400, "invalid-request", "side"),
        ("replace", b'{"qty": 1, "order_qty": 2}', 400, "invalid-request", "quantity"),
        ("replace", b'{"stop_price": "90"}', 400, "invalid-request", "stop_px"),
        ("replace", b'{"order_qty": "0"}', 400, "invalid-request", "order_qty"),
    ],
)
def test_what_is_no_request(
    api: Client,
    order: Order,
    rung: list[int],
    what: str,
    body: bytes,
    status: int,
    code: str,
    field: str | None,
) -> None:
    from orders.models import OrderRequest

    problem: Any = assert_problem(post(api, order, what, body), status, code)
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
    assert not OrderRequest.objects.exists()


def test_only_json_is_taken(api: Client, order: Order, rung: list[int]) -> None:
    for what in ("cancel", "replace"):
        response = api.post(f"/api/v1/orders/{order.id}/{what}", "{}", content_type="text/plain")
        assert_problem(response, 415, "unsupported-media-type")


def test_what_stands_in_a_replaces_way(api: Client, desk: Desk, order: Order, rung: list[int]) -> None:
    from tests.factories.alerts import record_one

    market = post(api, record_one(desk), "replace", {"order_qty": 11})
    assert assert_problem(market, 409, "not-replaceable")["reason"] == "MARKET_ORDER"
    post(api, order, "replace", {"price": "101"})
    again = post(api, order, "replace", {"price": "102"})
    assert assert_problem(again, 409, "request-open")["reason"] == "REPLACE_OPEN"


def test_a_replace_of_an_entry_needs_the_terms_a_cancel_does_not(
    api: Client, desk: Desk, order: Order, rung: list[int]
) -> None:
    desk.trader.terms_accepted_at = None
    desk.trader.save()
    assert_problem(post(api, order, "replace", {"price": "101"}), 403, "terms-not-accepted")
    assert post(api, order, "cancel").status_code == 202


def test_a_replace_needs_a_fleet(api: Client, order: Order, rung: list[int]) -> None:
    from orders.models import Heartbeat

    Heartbeat.objects.all().delete()
    response = post(api, order, "replace", {"price": "101"})
    assert_problem(response, 503, "service-unavailable")
    assert int(response["Retry-After"]) > 0


def test_the_same_key_is_the_same_request(api: Client, order: Order, rung: list[int]) -> None:
    first = post(api, order, "replace", {"price": "101"}, Idempotency_Key="k").json()
    again = post(api, order, "replace", b'{ "price" : "101" }', Idempotency_Key="k")
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    other = post(api, order, "replace", {"price": "102"}, Idempotency_Key="k")
    assert assert_problem(other, 409, "idempotency-conflict")["order_id"] == str(order.id)
    end(order)
    ended = post(api, order, "replace", {"price": "101"}, Idempotency_Key="k")
    assert ended.json()["id"] == first["id"]


def test_a_cancel_that_met_an_open_one_is_repeated_under_its_own_key(
    api: Client, order: Order, rung: list[int]
) -> None:
    from django.utils import timezone

    from orders.models import OrderRequest

    first = post(api, order, "cancel", Idempotency_Key="k1").json()
    second = post(api, order, "cancel", Idempotency_Key="k2")
    assert (second.status_code, second.json()["id"]) == (202, first["id"])
    OrderRequest.objects.update(status="REFUSED", answered_at=timezone.now())
    repeated = post(api, order, "cancel", Idempotency_Key="k2")
    assert (repeated.status_code, repeated.json()["id"]) == (200, first["id"])
    other = post(api, order, "replace", {"price": "101"}, Idempotency_Key="k2")
    assert assert_problem(other, 409, "idempotency-conflict")["order_id"] == str(order.id)


@pytest.mark.parametrize(
    ("status", "code"), [("ACCEPTED", 200), ("REFUSED", 200), ("MOOT", 200), ("SENT", 202)]
)
def test_the_answer_is_what_the_row_says(
    api: Client, order: Order, rung: list[int], monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    """The worker answers while the bell is still ringing; nothing wakes the sender but the end of its budget."""
    from django.utils import timezone

    from orders.models import OrderRequest
    from orders.views import waiting

    def work(user_id: int) -> None:
        now = timezone.now()
        OrderRequest.objects.update(
            status=status,
            text="said so",
            attempt=1,
            epoch=1,
            submitted_at=now,
            answered_at=now if code == 200 else None,
        )

    monkeypatch.setattr(waiting, "hand_over", work)
    response = post(api, order, "replace", {"price": "101"})
    assert (response.status_code, response.json()["status"]) == (code, status)
    assert response.json()["text"] == "said so"


@pytest.mark.parametrize("what", ["cancel", "replace"])
def test_only_posts(api: Client, order: Order, what: str) -> None:
    assert_problem(api.get(f"/api/v1/orders/{order.id}/{what}"), 405, "method-not-allowed")


@pytest.mark.parametrize("what", ["cancel", "replace"])
def test_who_is_nobody(order: Order, what: str) -> None:
    from django.test import Client

    assert_problem(
        post(Client(), order, what, {"price": "1"} if what == "replace" else b""), 401, "unauthorized"
    )


def test_both_are_described(api: Client) -> None:
    import yaml

    paths = yaml.safe_load(api.get("/api/v1/schema").content)["paths"]
    for what in ("cancel", "replace"):
        said = paths[f"/api/v1/orders/{{order_id}}/{what}"]["post"]
        assert {"200", "202", "400", "404", "409", "503"} <= said["responses"].keys()
        assert {"Idempotency-Key", "Prefer"} <= {one["name"] for one in said["parameters"]}
