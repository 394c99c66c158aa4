"""An entry for a closed market is refused with the next opening, or waits for it; an exit is always sent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.errors import MarketClosed
from brokers.models import BrokerAccount
from brokers.types import ExecType, OrdStatus
from orders.hours import forget_hours
from orders.intake.order_request import parse_order_request
from orders.ledger.rebuild import rebuilt_differences
from orders.models import MarketOverride, MarketSession, Order, OrderEvent, Source
from orders.rendering import order_json
from orders.selectors import next_due_at, users_with_due_orders
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.intake import record_order
from orders.services.leases import Fence, take_lease
from orders.services.submission import submit_order
from orders.services.sweeping import stale_entries
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.history import past
from tests.factories.hours import close_market, keep_session, open_market
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    """A trader whose account trades in New York."""
    return in_new_york(make_desk())


@pytest.fixture
def patient() -> Desk:
    """The same with a strategy that waits for the open."""
    return in_new_york(make_desk(queues_for_open=True))


def in_new_york(desk: Desk) -> Desk:
    BrokerAccount.objects.filter(pk=desk.account.pk).update(market="XNYS")
    desk.account.refresh_from_db()
    return desk


def fence_of(desk: Desk) -> Fence:
    fence = take_lease(user_id=desk.user.id, worker="w@h", host="h", pid=1)
    assert fence is not None
    return fence


def send(order: Order, adapter: ScriptedAdapter, fence: Fence) -> Order | None:
    applied = submit_order(
        order.id,
        adapter=adapter,
        fence=fence,
        before_send=lambda: None,
        heard=lambda: (),
        dequeued_at=timezone.now(),
    )
    return applied.order if applied else None


def accept(order: Order) -> ScriptedAdapter:
    return ScriptedAdapter(submit=lambda command: make_report(order, ExecType.NEW))


def stored(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def events(order: Order) -> list[str]:
    return list(OrderEvent.objects.filter(order=order).order_by("id").values_list("kind", flat=True))


def hold(desk: Desk, qty: str) -> None:
    """Give the trader a position, while nothing is known of any hours."""
    order = record_one(desk, quantity=qty)
    apply_execution_reports(
        [make_report(order, ExecType.NEW), make_fill(order, qty, exec_id=order.cl_ord_id)],
        account_id=desk.account.id,
        origin=Origin("stream"),
    )


# --- when it is recorded ---


def test_an_entry_for_a_closed_market_is_denied_with_the_next_opening(desk: Desk) -> None:
    opens_at = close_market()
    order = stored(record_one(desk))
    assert (order.ord_status, order.reason, order.ended) == (OrdStatus.DENIED, "MARKET_CLOSED", True)
    assert order.eligible_at == opens_at
    assert order.text.startswith("The New York Stock Exchange is closed; it opens on ")
    assert f"{opens_at:%Y-%m-%d %H:%M} UTC" in order.text and "in New York)" in order.text
    assert order.next_check_at is None
    assert events(order) == ["Recorded", "Denied"]
    told = order_json(order)
    assert (told["ord_status"], told["reason"], told["text"]) == ("DENIED", "MARKET_CLOSED", order.text)
    assert told["eligible_at"] == opens_at.isoformat().replace("+00:00", "Z")
    assert send(order, accept(order), fence_of(desk)) is None
    assert rebuilt_differences() == []


def test_an_entry_waits_for_the_open_where_its_strategy_says_so(patient: Desk) -> None:
    opens_at = close_market()
    order = stored(record_one(patient))
    assert (order.ord_status, order.reason) == (OrdStatus.INITIALIZED, "MARKET_CLOSED")
    assert order.eligible_at == order.next_check_at == opens_at
    assert users_with_due_orders() == [], "nobody is rung for until the market opens"
    due = next_due_at(patient.user.id)
    assert due is not None and abs(due - (opens_at - timezone.now()).total_seconds()) < 5
    with past():
        Order.objects.update(received_at=timezone.now() - dt.timedelta(days=1))
    assert stale_entries() == []
    assert rebuilt_differences() == []


def test_what_has_waited_is_sent_once_the_market_is_open(patient: Desk) -> None:
    close_market()
    order = record_one(patient)
    adapter, fence = accept(order), fence_of(patient)
    assert send(order, adapter, fence) is None, "it is sent before the market opens"
    opened(order)
    sent = send(order, adapter, fence)
    assert sent is not None and sent.ord_status == OrdStatus.NEW
    assert (sent.reason, sent.text, sent.eligible_at) == ("", "", None)
    assert len(adapter.sent) == 1


def opened(order: Order) -> None:
    """Let the time pass: the opening that the order waits for was an hour ago."""
    at = timezone.now() - dt.timedelta(hours=1)
    MarketSession.objects.filter(opens_at__gt=timezone.now()).update(
        day=at.date(), opens_at=at, closes_at=at + dt.timedelta(hours=6)
    )
    Order.objects.filter(pk=order.pk).update(eligible_at=at, next_check_at=at)
    keep_session("XNYS", at + dt.timedelta(days=3))


def test_a_day_that_stays_closed_after_all_is_waited_through(patient: Desk) -> None:
    close_market()
    order = record_one(patient)
    opened(order)
    session = MarketSession.objects.get(opens_at__lt=timezone.now(), closes_at__gt=timezone.now())
    following = MarketSession.objects.get(opens_at__gt=timezone.now())
    # By the exchange's clock it may be the day before: both are closed.
    for day in {session.day, session.opens_at.astimezone(dt.UTC).date(), session.day - dt.timedelta(days=1)}:
        MarketOverride.objects.create(
            market="XNYS", day=day, closed=True, reason="r", set_by=User.objects.get(pk=patient.user.pk)
        )
    forget_hours()
    adapter = accept(order)
    assert send(order, adapter, fence_of(patient)) is None
    assert adapter.sent == []
    order = stored(order)
    assert (order.ord_status, order.reason) == (OrdStatus.INITIALIZED, "MARKET_CLOSED")
    assert order.eligible_at == order.next_check_at == following.opens_at
    assert events(order) == ["Recorded", "HeldBack", "HeldBack"]


@pytest.mark.parametrize("market", ["XNYS", "24/7", ""])
def test_an_entry_goes_where_the_market_is_not_known_to_be_closed(desk: Desk, market: str) -> None:
    """XNYS: of Taipei alone hours are known. The others never close."""
    close_market("XTAI" if market == "XNYS" else "XNYS")
    BrokerAccount.objects.filter(pk=desk.account.pk).update(market=market)
    desk.account.refresh_from_db()
    order = stored(record_one(desk))
    assert (order.ord_status, order.reason, order.eligible_at) == (OrdStatus.INITIALIZED, "", None)


def test_an_entry_goes_while_the_market_is_open(desk: Desk) -> None:
    open_market()
    assert stored(record_one(desk)).ord_status == OrdStatus.INITIALIZED


def test_a_pair_trades_while_the_exchange_is_closed(desk: Desk) -> None:
    close_market()
    assert stored(record_one(desk, symbol="BTC/USD")).ord_status == OrdStatus.INITIALIZED


def test_an_order_for_the_opening_auction_goes_before_it(desk: Desk) -> None:
    close_market()
    assert stored(record_one(desk, time_in_force="opg")).ord_status == OrdStatus.INITIALIZED


@pytest.mark.parametrize("next_known", [True, False])
def test_an_exit_is_sent_whatever_the_hours(desk: Desk, next_known: bool) -> None:
    hold(desk, "5")
    close_market()
    if not next_known:
        MarketSession.objects.filter(opens_at__gt=timezone.now()).delete()
        forget_hours()
    order = stored(record_one(desk, action="sell", order_type="exit"))
    assert (order.ord_status, order.reason, order.eligible_at) == (OrdStatus.INITIALIZED, "", None)
    adapter = accept(order)
    assert send(order, adapter, fence_of(desk)) is not None
    assert adapter.sent[0].order_qty == Decimal(5)


@pytest.mark.parametrize(("effect", "status"), [("open", "DENIED"), ("close", "INITIALIZED")])
def test_an_order_by_hand_passes_the_same_gate(desk: Desk, effect: str, status: str) -> None:
    hold(desk, "5")
    close_market()
    side = "buy" if effect == "open" else "sell"
    body = f'{{"symbol":"AAPL","side":"{side}","quantity":5,"position_effect":"{effect}"}}'
    order = record_order(
        trader=desk.trader,
        account=desk.account,
        request=parse_order_request(body.encode(), "application/json"),
        source=Source.API,
        received_at=timezone.now(),
        statement_timeout_ms=2500,
    )
    assert stored(order).ord_status == status


# --- when the broker says so ---


def test_the_brokers_refusal_denies_an_entry_at_once_and_names_the_hours(desk: Desk) -> None:
    opens_at = timezone.now() + dt.timedelta(hours=9)
    order = record_one(desk)
    denied = send(order, ScriptedAdapter(submit=MarketClosed("closed", next_open=opens_at)), fence_of(desk))
    assert denied is not None, "its sender is told at once"
    assert (denied.ord_status, denied.reason, denied.eligible_at) == ("DENIED", "MARKET_CLOSED", opens_at)
    assert f"{opens_at:%H:%M} UTC" in denied.text
    assert events(order) == ["Recorded", "Submitted", "NotSent", "Denied"]
    assert rebuilt_differences() == []


def test_where_the_broker_names_no_opening_the_desk_names_the_one_that_it_knows(desk: Desk) -> None:
    order = record_one(desk)
    opens_at = close_market()
    denied = send(order, ScriptedAdapter(submit=MarketClosed("closed", next_open=None)), fence_of(desk))
    assert denied is not None and denied.eligible_at == opens_at
    nothing_known = record_one(in_new_york(make_desk()), symbol="BTC/USD")
    denied = send(
        nothing_known,
        ScriptedAdapter(submit=MarketClosed("closed", next_open=None)),
        fence_of(Desk(nothing_known.user, desk.trader, desk.account, desk.strategy, "")),
    )
    assert denied is not None and denied.eligible_at is None
    assert denied.text == "The broker's market is closed; when it opens next is not known."


def test_an_exit_that_the_broker_does_not_take_now_waits_for_its_opening(desk: Desk) -> None:
    hold(desk, "5")
    opens_at = timezone.now() + dt.timedelta(hours=9)
    order = record_one(desk, action="sell", order_type="exit")
    fence = fence_of(desk)
    assert send(order, ScriptedAdapter(submit=MarketClosed("closed", next_open=opens_at)), fence) is None
    waiting = stored(order)
    assert (waiting.ord_status, waiting.reason) == (OrdStatus.INITIALIZED, "MARKET_CLOSED")
    assert waiting.eligible_at == waiting.next_check_at == opens_at
    Order.objects.filter(pk=order.pk).update(eligible_at=timezone.now())
    close_market()
    assert send(order, accept(order), fence) is not None, "our own hours never hold an exit"


def test_an_entry_that_waits_for_the_open_waits_for_the_brokers_too(patient: Desk) -> None:
    opens_at = timezone.now() + dt.timedelta(hours=9)
    order = record_one(patient)
    refused = ScriptedAdapter(submit=MarketClosed("closed", next_open=opens_at))
    assert send(order, refused, fence_of(patient)) is None
    waiting = stored(order)
    assert (waiting.ord_status, waiting.eligible_at) == (OrdStatus.INITIALIZED, opens_at)
