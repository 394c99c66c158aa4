"""An operator closes positions for their traders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.test import Client

URL = "/admin/orders/position/"


def act(client: Client, *positions: Any) -> Any:
    body = {"action": "flatten_selected", "_selected_action": [str(one.pk) for one in positions]}
    return client.post(URL, body, follow=True)


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from orders.admin import position

    rung: list[int] = []
    monkeypatch.setattr(position, "hand_over", rung.append)
    monkeypatch.setattr(position, "answer_requests", lambda settled: None)
    return rung


@pytest.mark.django_db
def test_selected_positions_are_flattened_and_their_workers_rung_for(
    operator: Client, bells: list[int]
) -> None:
    from orders.models import Order, OrderEvent, Position
    from tests.factories.sending import hold
    from tests.factories.traders import make_desk

    desk, other = make_desk(), make_desk()
    hold(desk, "10")
    hold(other, "5")
    response = act(operator, Position.objects.get(account=desk.account))
    assert "1 exits are recorded" in response.content.decode()
    order = Order.objects.get(position_effect="CLOSE")
    assert (order.account_id, order.exit_reason, bells) == (desk.account.id, "FLATTENED", [desk.user.id])
    assert OrderEvent.objects.get(order=order, kind="Recorded").source == "operator"


@pytest.mark.django_db
def test_who_may_only_look_closes_nothing(client: Client, bells: list[int]) -> None:
    from django.contrib.auth.models import Permission, User

    from orders.models import Order, Position
    from tests.factories.sending import hold
    from tests.factories.traders import make_desk

    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_position"))
    client.force_login(viewer)
    desk = make_desk()
    hold(desk, "10")
    act(client, Position.objects.get(account=desk.account))
    assert not Order.objects.filter(position_effect="CLOSE").exists()
    assert bells == []
