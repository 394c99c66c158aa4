"""Exit rules in the admin: operators set them for any trader, and a strategy gets its own trader's only."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from orders.models import ExitRules
from orders.services.exit_rules import rules_for
from tests.pages.rows import make_account, make_strategy, make_trader

pytestmark = pytest.mark.django_db
ADD = "/admin/orders/exitrules/add/"


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def account() -> BrokerAccount:
    return make_account(make_trader("ann"))


def test_an_operator_sets_and_changes_a_traders_defaults(operator: Client, account: BrokerAccount) -> None:
    user = account.user
    assert operator.post(ADD, {"user": user.pk, "stop_loss_pct": "2"}).status_code == 302
    rules = ExitRules.objects.get()
    assert rules_for(user.pk, None).stop_loss_pct == 2
    url = f"/admin/orders/exitrules/{rules.pk}/change/"
    assert operator.post(url, {"stop_loss_pct": "3", "max_hold_minutes": "60"}).status_code == 302
    assert ExitRules.objects.count() == 1
    counting = rules_for(user.pk, None)
    assert (counting.stop_loss_pct, counting.max_hold_minutes) == (3, 60)


def test_a_strategy_of_another_trader_is_refused(operator: Client, account: BrokerAccount) -> None:
    strategy = make_strategy(make_trader("bob"), token="bobs-token")
    answer = operator.post(ADD, {"user": account.user.pk, "strategy": strategy.pk, "stop_loss_pct": "2"})
    assert "belongs to another trader" in answer.content.decode()
    assert not ExitRules.objects.exists()
