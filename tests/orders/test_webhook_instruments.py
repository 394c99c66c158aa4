"""What TradingView is told of a symbol that the broker is known not to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.factories.alerts import alert_body
from tests.factories.instruments import keep, listing
from tests.factories.traders import make_account, make_desk
from tests.orders.test_webhook_hours import post, rung, told

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["rung"]

# The recording runs in a thread with a connection of its own, so the rows have to be committed.
pytestmark = pytest.mark.django_db(transaction=True)


def test_an_unknown_symbol_is_a_400_that_records_nothing(client: Client, rung: list[int]) -> None:
    from orders.models import Signal

    desk = make_desk()
    desk.strategy.accounts.set([make_account(desk.user, broker="alpaca", simulation=False)])
    keep("alpaca", listing("AAPL"))
    response = post(client, desk, alert_body(desk, symbol="APPL"))
    assert response.status_code == 400
    problem = told(response)
    assert problem["reason"] == "UNKNOWN_SYMBOL"
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("symbol", "unknown")]
    assert (rung, Signal.objects.count()) == ([], 0)


def test_an_exit_from_what_is_not_tradable_any_more_is_taken(client: Client, rung: list[int]) -> None:
    desk = make_desk()
    keep("paper", listing("AAPL", tradable=False, shortable=False))
    assert told(post(client, desk, alert_body(desk)))["reason"] == "NOT_TRADABLE"
    answer = post(client, desk, alert_body(desk, action="close_long"))
    assert (answer.status_code, told(answer)["orders"]) == (200, [])
