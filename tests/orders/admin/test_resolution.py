"""Resolving an order whose outcome is unknown: the operator's page, and the command."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from orders.models import AttentionItem, Order, OrderEvent
from orders.services.attention import open_item
from orders.services.leases import Fence, expire_lease
from orders.services.submission import submit_order
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.traders import make_desk

GONE = 2**22 + 1  # beyond the kernel's largest pid


@pytest.fixture(autouse=True)
def arrived(settings: Any) -> None:
    """What was sent a moment ago has arrived by now, if it ever will."""
    settings.BROKER_TIMEOUT_SECONDS = 0.0


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The traders whose workers were rung for."""
    users: list[int] = []
    monkeypatch.setattr("orders.admin.resolution.hand_over", users.append)
    monkeypatch.setattr("orders.management.commands.resolve_order.hand_over", users.append)
    return users


@pytest.fixture
def operator(client: Client, db: None, rung: list[int]) -> User:
    """An operator who may see orders and resolve them, signed in."""
    user = User.objects.create(username="operator", is_staff=True)
    names = ("resolve_order", "view_order", "view_attentionitem")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    return user


@pytest.fixture
def fence(db: None) -> Fence:
    import socket

    return lease_of(make_desk(), host=socket.gethostname(), pid=GONE)


@pytest.fixture
def unknown(fence: Fence) -> Order:
    return make_unknown(fence)


def make_unknown(fence: Fence, **fields: Any) -> Order:
    from orders.models import Strategy
    from tests.factories.traders import Desk

    strategy = Strategy.objects.get(user=fence.user_id)
    account = strategy.accounts.get()
    order = record_one(Desk(strategy.user, strategy.user.trader, account, strategy, "s"), **fields)
    submit_order(
        order.id,
        adapter=ScriptedAdapter(submit=OutcomeUnknown("timeout")),  # type: ignore[arg-type]
        fence=fence,
        before_send=lambda: None,
        heard=lambda: (),
        dequeued_at=timezone.now(),
    )
    order.refresh_from_db()
    open_item(AttentionItem.Kind.OUTCOME_UNKNOWN, order=order, detail="not found")
    return order


@pytest.fixture
def lease_ended(fence: Fence, unknown: Order) -> None:
    expire_lease(user_id=fence.user_id, epoch=fence.epoch)


def page(order: Order) -> str:
    return reverse("admin:orders_order_resolve", args=[order.pk])


def adopt(client: Client, order: Order, **fields: str) -> Any:
    data = {"what": "adopt", "adopt-broker_order_id": "b-7", "adopt-reason": "seen there"} | fields
    return client.post(page(order), data, follow=True)


def declare(client: Client, order: Order, **fields: str) -> Any:
    data = {"what": "never_sent", "never-reason": "asked them"} | fields
    return client.post(page(order), data, follow=True)


def test_the_orders_page_leads_there_while_the_outcome_is_unknown(
    client: Client, operator: User, unknown: Order
) -> None:
    shown = reverse("admin:orders_order_change", args=[unknown.pk])
    assert page(unknown) in client.get(shown).content.decode()
    adopted = record_one_more(unknown)
    assert (
        page(adopted)
        not in client.get(reverse("admin:orders_order_change", args=[adopted.pk])).content.decode()
    )


def record_one_more(like: Order) -> Order:
    from tests.factories.traders import Desk

    assert like.strategy is not None
    return record_one(Desk(like.user, like.user.trader, like.account, like.strategy, "s"))


def test_the_attention_list_leads_there(client: Client, operator: User, fence: Fence, unknown: Order) -> None:
    other = make_unknown(fence)
    rows = {item.order_id: item.pk for item in AttentionItem.objects.all()}
    listed = reverse("admin:orders_attentionitem_changelist")
    data = {"action": "resolve_order", "_selected_action": [rows[unknown.pk]]}
    assert client.post(listed, data).headers["Location"] == page(unknown)
    data["_selected_action"] = [rows[unknown.pk], rows[other.pk]]
    assert "Choose the items of one order." in client.post(listed, data, follow=True).content.decode()


def test_the_page_says_what_is_known_and_fits_a_phone(client: Client, operator: User, unknown: Order) -> None:
    html = client.get(page(unknown)).content.decode()
    assert unknown.cl_ord_id in html
    assert f"process {GONE}" in html
    assert "Not yet possible." in html, "its lease still stands"
    assert 'name="viewport"' in html
    assert "<table" not in html.partition("content-main")[2], "a table does not fold on a phone"
    assert "send_again" not in html, "an entry is never sent again"


def test_adopting_asks_the_worker(client: Client, operator: User, unknown: Order, rung: list[int]) -> None:
    html = adopt(client, unknown).content.decode()
    assert "The trader&#x27;s worker looks at the broker&#x27;s order now" in html
    event = OrderEvent.objects.get(order=unknown, kind="AdoptRequested")
    assert (event.data["broker_order_id"], event.data["operator"]) == ("b-7", "operator")
    assert rung == [unknown.user_id]
    assert "b-7: seen there" in LogEntry.objects.get().change_message
    assert AttentionItem.objects.get().resolved_at is None, "nobody has looked yet"


def test_declaring_denies(
    client: Client, operator: User, unknown: Order, lease_ended: None, rung: list[int]
) -> None:
    assert "It is proven gone." in client.get(page(unknown)).content.decode()
    assert "the order is DENIED" in declare(client, unknown).content.decode()
    unknown.refresh_from_db()
    assert (unknown.ord_status, unknown.reason) == ("DENIED", "NEVER_SENT")
    assert AttentionItem.objects.get().resolved_by == operator
    assert rung == [unknown.user_id], "what waited behind it goes on"
    assert "Its outcome is known" in client.get(page(unknown)).content.decode()


def test_a_refusal_is_shown_with_what_is_missing(
    client: Client, operator: User, unknown: Order, rung: list[int]
) -> None:
    html = declare(client, unknown).content.decode()
    assert "still holds the trader&#x27;s lease" in html
    assert "asked them" in html, "what was typed is kept"
    unknown.refresh_from_db()
    assert (unknown.ord_status, rung) == ("SUBMITTED", [])


@pytest.mark.parametrize("field", ["adopt-reason", "adopt-broker_order_id"])
def test_adopting_needs_an_id_and_a_reason(
    client: Client, operator: User, unknown: Order, rung: list[int], field: str
) -> None:
    assert "This field is required." in adopt(client, unknown, **{field: "  "}).content.decode()
    assert not OrderEvent.objects.filter(order=unknown, kind="AdoptRequested").exists()
    assert rung == []


def test_declaring_needs_a_reason(client: Client, operator: User, unknown: Order, lease_ended: None) -> None:
    assert "This field is required." in declare(client, unknown, **{"never-reason": ""}).content.decode()
    unknown.refresh_from_db()
    assert unknown.ord_status == "SUBMITTED"


def test_who_may_not_resolve_sees_and_changes_nothing(
    client: Client, operator: User, unknown: Order, lease_ended: None
) -> None:
    operator.user_permissions.remove(Permission.objects.get(codename="resolve_order"))
    assert client.get(page(unknown)).status_code == 403
    assert declare(client, unknown).status_code == 403
    assert adopt(client, unknown).status_code == 403
    shown = client.get(reverse("admin:orders_order_change", args=[unknown.pk])).content.decode()
    assert page(unknown) not in shown
    listed = reverse("admin:orders_attentionitem_changelist")
    assert 'value="resolve_order"' not in client.get(listed).content.decode()
    client.logout()
    assert "/login/" in client.get(page(unknown)).headers["Location"]
    unknown.refresh_from_db()
    assert unknown.ord_status == "SUBMITTED"


def command(order: Order, *options: str) -> str:
    out = StringIO()
    call_command("resolve_order", str(order.pk), *options, "--reason", "asked them", stdout=out)
    return out.getvalue()


def test_the_command_does_the_same(
    operator: User, unknown: Order, lease_ended: None, rung: list[int]
) -> None:
    assert "looks at the broker's order now" in command(unknown, "--adopt", "b-7", "--operator", "operator")
    assert command(unknown, "--never-sent", "--operator", "operator") == "It is DENIED.\n"
    assert LogEntry.objects.filter(user=operator).count() == 2
    assert rung == [unknown.user_id] * 2
    with pytest.raises(CommandError, match="it is DENIED"):
        command(unknown, "--never-sent", "--operator", "operator")


@pytest.mark.parametrize("name", ["nobody", "trader"])
def test_the_command_needs_an_operator(operator: User, unknown: Order, lease_ended: None, name: str) -> None:
    User.objects.create(username="trader")
    with pytest.raises(CommandError, match="no user who may resolve orders"):
        command(unknown, "--never-sent", "--operator", name)
    unknown.refresh_from_db()
    assert unknown.ord_status == "SUBMITTED"
