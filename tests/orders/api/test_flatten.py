"""``POST /api/v1/flatten``: what has to be said, what is recorded, what is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.orders.api.test_authentication import assert_problem

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

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
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The traders that were rung for, whose workers never answer."""
    from orders.views import flattening, waiting

    async def redis_is_there() -> None:
        return None

    bells: list[int] = []
    monkeypatch.setattr(flattening, "start_listening", redis_is_there)
    monkeypatch.setattr(flattening, "hand_over", bells.append)
    monkeypatch.setattr(waiting, "hand_over", bells.append)
    return bells


def post(api: Client, body: Any) -> HttpResponse:
    response: HttpResponse = api.post(
        "/api/v1/flatten", json.dumps(body), content_type="application/json", headers={"Prefer": "wait=0"}
    )
    return response


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"everything": False},
        {"everything": True, "symbol": "AAPL"},
        {"symbol": ""},
        {"account": "mine"},
        {"symbol": "AAPL", "quantity": 1},
    ],
)
def test_what_is_to_be_flattened_must_be_said(api: Client, rung: list[int], body: Any) -> None:
    assert_problem(post(api, body), 400, "invalid-request")
    assert rung == []


def test_a_position_is_closed_and_the_worker_rung_for(api: Client, desk: Desk, rung: list[int]) -> None:
    from orders.models import Order
    from tests.factories.sending import hold

    hold(desk, "10")
    response = post(api, {"symbol": "AAPL"})
    order = Order.objects.get(position_effect="CLOSE")
    said = response.json()
    assert (response.status_code, said["canceled"]) == (202, 0)
    assert [(one["id"], one["side"], one["order_qty"]) for one in said["exits"]] == [
        (str(order.id), "SELL", "10")
    ]
    assert (order.exit_reason, order.source, rung) == ("FLATTENED", "api", [desk.user.id])
    assert [one["id"] for one in post(api, {"everything": True}).json()["exits"]] == [str(order.id)]


def test_an_entry_that_was_not_sent_is_denied_at_once(api: Client, desk: Desk, rung: list[int]) -> None:
    from orders.models import Order
    from tests.factories.alerts import record_one

    entry = record_one(desk)
    response = post(api, {"account": str(desk.account.id)})
    assert (response.status_code, response.json()) == (200, {"exits": [], "canceled": 1})
    assert Order.objects.get(pk=entry.pk).ord_status == "DENIED"
    assert rung == [desk.user.id]


def test_nothing_held_is_answered_plainly(api: Client, desk: Desk, rung: list[int]) -> None:
    response = post(api, {"everything": True})
    assert (response.status_code, response.json(), rung) == (200, {"exits": [], "canceled": 0}, [])


def test_anothers_account_is_refused(api: Client, desk: Desk, rung: list[int]) -> None:
    from tests.factories.sending import hold
    from tests.factories.traders import make_desk

    other = make_desk()
    hold(other, "10")
    assert_problem(post(api, {"account": str(other.account.id)}), 403, "no-account")
    assert rung == []
