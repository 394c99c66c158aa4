"""The operators' side: history is read only, no secret is shown, lists stay quick."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from brokers.models import BrokerAccount
from orders.admin.base import BoundedPaginator
from orders.models import (
    ApiKey,
    AttentionItem,
    Execution,
    Heartbeat,
    MarketOverride,
    MarketSession,
    Order,
    OrderEvent,
    OrderQuota,
    OrderRequest,
    OrderRequestKey,
    OutsideId,
    Plan,
    Position,
    Signal,
    Strategy,
    Trade,
    TradeOrder,
    Trader,
    WorkerLease,
)
from orders.services.attention import ReasonRequiredError, resolve_item
from tests.pages.rows import (
    NOON,
    make_account,
    make_event,
    make_fill,
    make_leg,
    make_order,
    make_position,
    make_request,
    make_signal,
    make_strategy,
    make_trade,
    make_trader,
)

HISTORY = [
    Signal,
    Order,
    OrderRequest,
    OrderRequestKey,
    Execution,
    OrderEvent,
    WorkerLease,
    Heartbeat,
    OrderQuota,
    AttentionItem,
    Position,
    Trade,
    MarketSession,
]
ADJUSTED = [Plan, Trader, Strategy, BrokerAccount, ApiKey, MarketOverride]
SECRETS = ("sealed-by-the-vault", "sealed-signing-key", "whole-token-of-the-webhook")


@pytest.fixture
def everything(db: None) -> Order:
    """One row of everything."""
    ann = make_trader("ann")
    account = make_account(ann, sealed_credentials=SECRETS[0])
    strategy = make_strategy(ann, sealed_signing_key=SECRETS[1], token=SECRETS[2])
    strategy.accounts.add(account)
    order = make_order(account, signal=make_signal(strategy), strategy=strategy)
    make_event(order, data={"kind": "Recorded"}, stages={"received": 0})
    make_fill(order, "10", "187.35")
    request = make_request(order, "REPLACE", "REFUSED", order_qty="12")
    OrderRequestKey.objects.create(request=request, user=ann, idempotency_key="k", received_at=NOON)
    make_position(account, qty="-2.5", realized_pnl="7.25")
    make_leg(make_trade(account, "CLOSED", realized_pnl="-3.5", fees="0.5", strategy=strategy), order)
    AttentionItem.objects.create(user=ann, order=order, kind="OVERFILL", detail="1 too many")
    ApiKey.objects.create(user=ann, prefix="tsk_12ab", digest=b"d" * 32)
    Heartbeat.objects.create(name="fleet@host", part="fleet", at=NOON)
    OrderQuota.objects.create(user=ann, day=NOON.date(), day_count=3, minute=NOON, minute_count=1)
    MarketSession.objects.create(
        market="XNYS", day=NOON.date(), opens_at=NOON, closes_at=NOON + timedelta(hours=6), refreshed_at=NOON
    )
    MarketOverride.objects.create(market="XNYS", day=NOON.date(), closed=True, reason="storm", set_by=ann)
    now = timezone.now()
    times = {"claimed_at": now, "heartbeat_at": now, "expires_at": now + timedelta(seconds=15)}
    WorkerLease.objects.create(user=ann, worker="w", host="h", pid=1, epoch=1, **times)
    return order


def url(model: Any, action: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=args)


def test_every_model_of_the_desk_is_there() -> None:
    models = {m for label in ("brokers", "orders", "tasks") for m in apps.get_app_config(label).get_models()}
    parts = {inline.model for page in admin.site._registry.values() for inline in page.inlines}
    without_page = {model for model in models if not admin.site.is_registered(model)}
    assert without_page == {TradeOrder, OutsideId}
    assert without_page <= parts


@pytest.mark.parametrize("model", HISTORY)
def test_history_can_be_looked_at_and_nothing_else(operator: Client, everything: Order, model: Any) -> None:
    row = model.objects.get()
    assert operator.get(url(model, "changelist")).status_code == 200
    html = operator.get(url(model, "change", row.pk)).content.decode()
    assert 'name="_save"' not in html
    assert "deletelink" not in html
    assert operator.get(url(model, "add")).status_code == 403
    assert operator.post(url(model, "change", row.pk), {}).status_code == 403
    assert operator.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    operator.post(url(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk]})
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [*HISTORY, *ADJUSTED])
def test_no_page_shows_a_secret(operator: Client, everything: Order, model: Any) -> None:
    pages = [url(model, "changelist"), url(model, "change", model.objects.first().pk)]
    for page in pages:
        html = operator.get(page).content.decode()
        assert not [secret for secret in SECRETS if secret in html]
        assert "secret_digest" not in html
        assert "field-digest" not in html
        assert "d" * 12 not in html  # a digest of ds; an id may well hold a few


@pytest.mark.parametrize("model", [Strategy, BrokerAccount, ApiKey])
def test_what_has_a_secret_is_made_by_a_service_only(operator: Client, model: Any) -> None:
    assert operator.get(url(model, "add")).status_code == 403


def test_a_strategy_is_given_accounts_of_its_own_trader_only(operator: Client, everything: Order) -> None:
    foreign = make_account(make_trader("bob"), "Bobs")
    strategy = everything.strategy
    assert strategy is not None
    page = url(Strategy, "change", strategy.pk)
    assert "Bobs" not in operator.get(page).content.decode()
    data = {
        "name": "Breakout",
        "accounts": [str(foreign.pk)],
        "allowed_symbols": "",
        "sizing_method": "FIXED",
        "trade_style": "DAY",
    }
    assert operator.post(page, data).status_code == 200  # shown again, with an error
    assert list(strategy.accounts.all()) == [everything.account]
    data["accounts"] = [str(everything.account_id)]
    assert operator.post(page, data | {"paused": "on"}).status_code == 302
    strategy.refresh_from_db()
    assert strategy.paused
    assert strategy.sealed_signing_key == SECRETS[1]


@pytest.mark.parametrize("model", [Signal, Order, Execution, OrderEvent, Position, Trade])
def test_a_list_asks_the_database_as_often_whatever_its_length(
    operator: Client, everything: Order, model: Any
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            operator.get(url(model, "changelist"))
        return len(captured)

    before = queries()
    for number in range(10):
        account = make_account(make_trader(f"more-{number}"))
        strategy = make_strategy(account.user)
        order = make_order(account, signal=make_signal(strategy))
        make_event(order)
        make_fill(order, "1", "1")
        make_position(account)
        make_leg(make_trade(account), order)
    assert queries() == before


def test_no_list_counts_more_than_a_page_can_need(everything: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.admin.base.MOST_COUNTED", 3)
    for _ in range(5):
        make_order(everything.account)
    assert BoundedPaginator(Order.objects.order_by("-id"), 2).count == 3


def test_a_search_finds_by_id_client_order_id_and_user(operator: Client, everything: Order) -> None:
    make_order(make_account(make_trader("bob")))
    for term in (str(everything.pk), everything.cl_ord_id, " ann "):
        changelist = operator.get(url(Order, "changelist"), {"q": term}).context["cl"]
        assert [order.pk for order in changelist.result_list] == [everything.pk]
    assert not operator.get(url(Order, "changelist"), {"q": "nobody"}).context["cl"].result_list
    assert operator.get(url(OrderEvent, "changelist"), {"q": str(everything.pk)}).context["cl"].result_list


def found(client: Client, model: Any, **query: str) -> list[Any]:
    changelist = client.get(url(model, "changelist"), query).context["cl"]
    return [row.pk for row in changelist.result_list]


def test_a_trade_is_found_by_its_order_its_account_and_its_trader(
    operator: Client, everything: Order
) -> None:
    trade = Trade.objects.get()
    make_trade(make_account(make_trader("bob")))
    for term in (str(trade.pk), str(everything.pk), str(everything.account_id), "ann"):
        assert found(operator, Trade, q=term) == [trade.pk], term
    assert found(operator, Trade, q="nobody") == []


def test_a_trades_page_shows_its_orders_and_what_it_came_to(operator: Client, everything: Order) -> None:
    html = operator.get(url(Trade, "change", Trade.objects.get().pk)).content.decode()
    assert str(everything.pk) in html
    assert 'name="legs-0-DELETE"' not in html
    listed = operator.get(url(Trade, "changelist")).content.decode()
    for said in ("10 at 100", "10 at 101", "-4<"):
        assert said in listed


def test_positions_are_found_by_symbol_and_side(operator: Client, everything: Order) -> None:
    short = Position.objects.get()
    flat = make_position(everything.account, "MSFT", "0")
    long = make_position(make_account(make_trader("bob")), "TSLA", "1")
    assert found(operator, Position, q="MSFT") == [flat.pk]
    assert found(operator, Position, q=str(everything.account_id)) == [flat.pk, short.pk]
    expected = {"open": [long.pk, short.pk], "long": [long.pk], "short": [short.pk], "flat": [flat.pk]}
    for side, positions in expected.items():
        assert found(operator, Position, side=side) == positions, side
    html = operator.get(url(Position, "changelist")).content.decode()
    assert "-2.5<" in html
    assert "7.25<" in html


def test_open_and_sent_orders_can_be_picked_out(operator: Client, everything: Order) -> None:
    working = make_order(everything.account, "NEW")
    sent = make_order(everything.account, "SUBMITTED")
    for course, expected in (
        ("open", {working.pk, sent.pk}),
        ("sent", {sent.pk}),
        ("ended", {everything.pk}),
    ):
        changelist = operator.get(url(Order, "changelist"), {"course": course}).context["cl"]
        assert {order.pk for order in changelist.result_list} == expected


def resolve(client: Client, *items: AttentionItem, reason: str) -> Any:
    data = {"action": "resolve_with_reason", "reason": reason, "_selected_action": [i.pk for i in items]}
    return client.post(url(AttentionItem, "changelist"), data, follow=True)


def test_an_item_is_resolved_with_a_reason(operator: Client, everything: Order) -> None:
    item = AttentionItem.objects.get()
    html = resolve(operator, item, reason="  booked by\nhand ").content.decode()
    item.refresh_from_db()
    assert item.resolved_at is not None
    assert item.resolution == "operator: booked by hand"
    assert "Resolved: 1." in html
    assert "1 too many" not in html  # the list is that of open items
    assert LogEntry.objects.get().object_id == str(item.pk)


def test_without_a_reason_nothing_is_resolved(operator: Client, everything: Order) -> None:
    item = AttentionItem.objects.get()
    html = resolve(operator, item, reason="  ").content.decode()
    assert "Say why the item is resolved." in html
    item.refresh_from_db()
    assert item.resolved_at is None


def test_who_may_only_look_resolves_nothing(client: Client, everything: Order) -> None:
    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_attentionitem"))
    client.force_login(viewer)
    item = AttentionItem.objects.get()
    assert "resolve_with_reason" not in client.get(url(AttentionItem, "changelist")).content.decode()
    resolve(client, item, reason="because")
    item.refresh_from_db()
    assert item.resolved_at is None


def test_the_first_resolution_stands(everything: Order) -> None:
    item = AttentionItem.objects.get()
    first, second = User.objects.create(username="first"), User.objects.create(username="second")
    assert resolve_item(item, first, "done")
    assert not resolve_item(item, second, "done again")
    item.refresh_from_db()
    assert item.resolution == "first: done"


def test_a_reason_of_any_length_fits(everything: Order) -> None:
    item = AttentionItem.objects.get()
    assert resolve_item(item, User.objects.create(username="x" * 150), "y" * 1000)
    with pytest.raises(ReasonRequiredError):
        resolve_item(item, User.objects.get(username="x" * 150), " \n ")


def test_a_trader_has_no_admin(client: Client, everything: Order) -> None:
    client.force_login(User.objects.get(username="ann"))
    assert client.get(url(Order, "changelist")).status_code == 302
