"""What TradingView is told while a market is closed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.alerts import alert_body
from tests.factories.hours import close_market
from tests.factories.traders import Desk, make_account, make_desk

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

# The recording runs in a thread with a connection of its own, so the rows have to be committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch, db: None) -> list[int]:
    """A living fleet whose workers never answer; the list is of the traders that were rung for."""
    from django.utils import timezone

    from orders.models import Heartbeat
    from orders.views import waiting, webhook

    async def redis_is_there() -> None:
        return None

    bells: list[int] = []
    monkeypatch.setattr(webhook, "require_redis", redis_is_there)
    monkeypatch.setattr(waiting, "hand_over", bells.append)
    Heartbeat.objects.create(name="fleet.test", part=Heartbeat.Part.FLEET, at=timezone.now())
    return bells


def desk_in_new_york(**strategy: Any) -> Desk:
    desk = make_desk(**strategy)
    desk.account.market = "XNYS"
    desk.account.save(update_fields=["market"])
    return desk


def post(client: Client, desk: Desk, body: dict[str, Any]) -> HttpResponse:
    path = desk.strategy.webhook_path
    response: HttpResponse = client.post(path, json.dumps(body), content_type="application/json")
    return response


def told(response: HttpResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(response.content)
    return body


def test_a_refused_entry_is_answered_200_with_the_next_opening(client: Client, rung: list[int]) -> None:
    """A resend would not help, so TradingView must not try one: no 4xx, no 5xx."""
    desk = desk_in_new_york()
    opens_at = close_market()
    body = alert_body(desk)
    response = post(client, desk, body)
    order = told(response)
    assert response.status_code == 200
    assert (order["ord_status"], order["reason"]) == ("DENIED", "MARKET_CLOSED")
    assert order["eligible_at"] == opens_at.isoformat().replace("+00:00", "Z")
    assert "The New York Stock Exchange is closed; it opens on " in order["text"]
    assert rung == [], "there is nothing to send"
    again = post(client, desk, body)
    assert (again.status_code, told(again)["order_id"]) == (409, order["id"])


def test_an_entry_that_waits_for_the_open_is_answered_202_at_once(client: Client, rung: list[int]) -> None:
    desk = desk_in_new_york(queues_for_open=True)
    opens_at = close_market()
    began = time.monotonic()
    response = post(client, desk, alert_body(desk))
    assert time.monotonic() - began < 2, "nobody waits for an order that is sent only days later"
    order = told(response)
    assert response.status_code == 202
    assert (order["ord_status"], order["reason"]) == ("INITIALIZED", "MARKET_CLOSED")
    assert order["eligible_at"] == opens_at.isoformat().replace("+00:00", "Z")
    assert order["url"].endswith(order["id"])


def test_of_two_accounts_the_one_whose_market_is_open_trades(client: Client, rung: list[int]) -> None:
    desk = desk_in_new_york()
    desk.strategy.accounts.add(make_account(desk.user, market="24/7"))
    close_market()
    response = post(client, desk, alert_body(desk))
    assert response.status_code == 202
    statuses = [order["ord_status"] for order in told(response)["orders"]]
    assert sorted(statuses) == ["DENIED", "INITIALIZED"]
    assert rung == [desk.user.pk]


def test_an_exit_passes(client: Client, rung: list[int]) -> None:
    """There is nothing to close, which is no matter of hours."""
    desk = desk_in_new_york()
    close_market()
    response = post(client, desk, alert_body(desk, action="close_long"))
    assert response.status_code == 200
    assert told(response)["orders"] == []
