"""Reversals: close, wait for the fill, enter; and every way in which that can end."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from brokers.errors import BrokerUnavailable, OrderRejected
from brokers.types import OrdStatus
from orders.models import AccountHalt, AttentionItem, Errand, ExitReason, Order, Position, Source, Trade
from orders.services.leases import LeaseLost, expire_lease
from orders.services.sweeping import stale_entries
from tests.factories.alerts import record_one
from tests.factories.exchange import Pit, open_pit
from tests.factories.traders import Desk

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture
def pit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Pit:
    return open_pit(desk, monkeypatch)


def give(pit: Pit, position: str) -> None:
    """Have the trader hold so much."""
    if Decimal(position):
        action = "long_entry" if Decimal(position) > 0 else "short_entry"
        record_one(pit.desk, action=action, quantity=position.lstrip("-+"))
        pit.work()
        pit.exchange.sent.clear()


def held(pit: Pit) -> Decimal:
    return Position.objects.get(account=pit.desk.account, symbol="AAPL").qty


def closing_of(entry: Order) -> Order:
    return Order.objects.get(parent=entry)


def stored(order: Order) -> Order:
    order.refresh_from_db()
    return order


@pytest.mark.parametrize(
    ("before", "action", "sent", "after"),
    [
        ("0", "long_entry", [("BUY", 1)], "1"),
        ("+1", "long_entry", [("BUY", 1)], "2"),
        ("-2", "long_entry", [("BUY", 2), ("BUY", 1)], "1"),
        ("0", "short_entry", [("SELL", 1)], "-1"),
        ("+3", "short_entry", [("SELL", 3), ("SELL", 1)], "-1"),
        ("-1", "short_entry", [("SELL", 1)], "-2"),
    ],
)
def test_the_matrix(pit: Pit, before: str, action: str, sent: list[tuple[str, int]], after: str) -> None:
    give(pit, before)
    entry = record_one(pit.desk, action=action, quantity="1")
    pit.work()
    pit.work()
    assert pit.exchange.sides() == [(side, Decimal(qty)) for side, qty in sent]
    assert held(pit) == pit.exchange.position == Decimal(after)
    reversed_ = len(sent) == 2
    assert (stored(entry).ord_status, entry.auto_exit) == (OrdStatus.FILLED, reversed_)
    assert entry.position_before == (Decimal(before) if reversed_ else None)
    assert entry.exit_quantity == (abs(Decimal(before)) if reversed_ else None)


def test_what_is_recorded_of_the_closing_order(pit: Pit) -> None:
    give(pit, "-2")
    entry = record_one(pit.desk, action="buy", quantity="1")
    pit.work()
    pit.work()
    closing = closing_of(entry)
    assert (closing.source, closing.exit_reason, closing.auto_exit) == (
        Source.DESK,
        ExitReason.REVERSED,
        True,
    )
    assert (closing.strategy_id, closing.ord_type, closing.ord_status) == (
        entry.strategy_id,
        "MARKET",
        "FILLED",
    )
    closed, opened = Trade.objects.filter(account=pit.desk.account).order_by("id")
    assert (closed.status, closed.exit_reason) == (Trade.Status.CLOSED, ExitReason.REVERSED)
    assert (opened.status, opened.side, opened.entry_qty) == (Trade.Status.POSITION, "LONG", Decimal(1))


def test_a_plain_entry_asks_nobody(pit: Pit) -> None:
    give(pit, "+1")
    pit.exchange.asked.clear()
    record_one(pit.desk, quantity="1")
    pit.work()
    assert pit.exchange.asked == []


def begin(pit: Pit) -> tuple[Order, Order]:
    """Begin to reverse 3 long; return entry and closing order, which rests unfilled."""
    give(pit, "+3")
    pit.exchange.fills_at_once = False
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    pit.work()
    closing = closing_of(entry)
    assert (stored(entry).ord_status, closing.ord_status) == (OrdStatus.INITIALIZED, OrdStatus.NEW)
    return entry, closing


def test_the_entry_waits_for_the_last_share(pit: Pit) -> None:
    entry, closing = begin(pit)
    pit.exchange.fill(closing, "2")
    pit.work()
    assert stored(entry).ord_status == OrdStatus.INITIALIZED
    pit.exchange.fills_at_once = True
    pit.exchange.fill(closing, "1")
    errand = Errand.objects.get(kind=Errand.Kind.TEND_POSITION, symbol="AAPL")
    assert errand.due_at <= timezone.now(), "nobody looks at the entry before its next look is due"
    pit.session.work()
    assert stored(entry).ord_status == OrdStatus.FILLED
    assert held(pit) == Decimal(-1)


def time_out(pit: Pit, settings: SettingsWrapper) -> None:
    settings.REVERSAL_POLLS = 0
    pit.work()


def test_a_time_out_cancels_waits_counts_and_denies(pit: Pit, settings: SettingsWrapper) -> None:
    entry, closing = begin(pit)
    pit.exchange.fill(closing, "2")
    pit.exchange.cancels = False
    time_out(pit, settings)
    assert [request.orig_cl_ord_id for request in pit.exchange.requested] == [closing.cl_ord_id]
    pit.work()
    assert stored(entry).ord_status == OrdStatus.INITIALIZED, "the closing order may still be filled"
    assert stored(closing).ord_status == OrdStatus.PENDING_CANCEL
    pit.exchange.tell_canceled(closing)
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "REVERSAL_TIMED_OUT")
    assert "2 of 3 were closed; 1 AAPL are still held" in entry.text
    item = AttentionItem.objects.get(order=entry, kind=AttentionItem.Kind.REVERSAL_ABORTED)
    assert "close or keep them by hand" in item.detail
    assert held(pit) == Decimal(1)
    assert len(pit.exchange.sent) == 1


def test_a_fill_that_overtakes_the_cancel_lets_the_entry_go(pit: Pit, settings: SettingsWrapper) -> None:
    entry, closing = begin(pit)
    pit.exchange.cancels = False
    time_out(pit, settings)
    pit.exchange.fills_at_once = True
    pit.exchange.fill(closing, "3")
    pit.work()
    assert (stored(entry).ord_status, held(pit)) == (OrdStatus.FILLED, Decimal(-1))


def test_a_closing_order_that_the_broker_refuses_denies_the_entry(pit: Pit) -> None:
    give(pit, "+3")
    pit.exchange.refuses = OrderRejected("insufficient qty available")
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    pit.work()
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "REVERSAL_REJECTED")
    assert "insufficient qty available" in entry.text
    assert AttentionItem.objects.filter(order=entry, kind=AttentionItem.Kind.REVERSAL_ABORTED).exists()


def test_a_closing_order_that_somebody_cancels_denies_the_entry(pit: Pit) -> None:
    entry, closing = begin(pit)
    pit.exchange.tell_canceled(closing)
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "REVERSAL_FAILED")


def test_another_position_at_the_broker_denies_the_entry_and_has_the_account_compared(pit: Pit) -> None:
    give(pit, "+3")
    pit.exchange.position = Decimal(5)
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    for _ in range(3):
        pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "POSITION_DIFFERS")
    assert "the broker holds 5 AAPL, the desk 3" in entry.text
    assert AttentionItem.objects.filter(order=entry, kind=AttentionItem.Kind.POSITION_DIFFERS).exists()
    assert Errand.objects.filter(kind=Errand.Kind.RECONCILE, account=pit.desk.account).exists()
    assert pit.exchange.sent == []


def test_a_position_that_differs_for_a_moment_only_is_reversed(pit: Pit) -> None:
    give(pit, "+3")
    pit.exchange.position = Decimal(0)
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    pit.work()
    assert (stored(entry).ord_status, pit.exchange.sent) == (OrdStatus.INITIALIZED, [])
    pit.exchange.position = Decimal(3)
    pit.work()
    pit.work()
    assert (stored(entry).ord_status, held(pit)) == (OrdStatus.FILLED, Decimal(-1))


def test_a_broker_that_does_not_answer_is_asked_again(pit: Pit, monkeypatch: pytest.MonkeyPatch) -> None:
    give(pit, "+3")
    entry = record_one(pit.desk, action="short_entry", quantity="1")

    def away() -> list[object]:
        raise BrokerUnavailable("refused")

    with monkeypatch.context() as patch:
        patch.setattr(pit.exchange, "list_positions", away)
        pit.work()
    assert (stored(entry).ord_status, pit.exchange.sent) == (OrdStatus.INITIALIZED, [])
    pit.work()
    pit.work()
    assert stored(entry).ord_status == OrdStatus.FILLED


def test_a_reversal_under_way_grows_not_too_old(pit: Pit, settings: SettingsWrapper) -> None:
    entry, closing = begin(pit)
    Order.objects.filter(pk=entry.pk).update(received_at=timezone.now() - dt.timedelta(minutes=5))
    assert stale_entries() == []
    pit.work()
    assert stored(entry).ord_status == OrdStatus.INITIALIZED
    pit.exchange.fill(closing, "3")
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "TOO_OLD"), (
        "it is not sent that late"
    )
    assert (held(pit), len(pit.exchange.sent)) == (Decimal(0), 1)


def test_what_denies_an_entry_leaves_no_closing_order_to_itself(pit: Pit, settings: SettingsWrapper) -> None:
    entry, closing = begin(pit)
    AccountHalt.objects.create(
        user=pit.desk.user, account=pit.desk.account, reason="drift", since=timezone.now()
    )
    settings.REVERSAL_POLLS = 0
    pit.work()
    pit.work()
    assert stored(closing).ord_status == OrdStatus.CANCELED, "its time is over"
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "REVERSAL_TIMED_OUT")


def test_a_halt_during_a_reversal_denies_the_entry_after_it(pit: Pit) -> None:
    entry, closing = begin(pit)
    AccountHalt.objects.create(
        user=pit.desk.user, account=pit.desk.account, reason="drift", since=timezone.now()
    )
    pit.exchange.fill(closing, "3")
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "DRIFT_HALT")
    assert (held(pit), len(pit.exchange.sent)) == (Decimal(0), 1)


def test_an_entry_whose_reversal_is_over_grows_too_old(pit: Pit) -> None:
    entry, closing = begin(pit)
    pit.exchange.fill(closing, "3")
    pit.exchange.refuses = BrokerUnavailable("refused")
    pit.work()
    assert stored(entry).ord_status == OrdStatus.INITIALIZED, "closed, and not sent yet"
    Order.objects.filter(pk=entry.pk).update(received_at=timezone.now() - dt.timedelta(minutes=5))
    assert stale_entries() == [entry.pk], "the worker may be gone by now"
    pit.exchange.refuses = None
    pit.work()
    assert (stored(entry).ord_status, entry.reason) == (OrdStatus.DENIED, "TOO_OLD")


def test_the_next_worker_goes_on(pit: Pit, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, closing = begin(pit)
    expire_lease(user_id=pit.desk.user.id, epoch=pit.session.fence.epoch)
    successor = open_pit(pit.desk, monkeypatch, pit.exchange)
    with pytest.raises(LeaseLost):
        pit.work()
    pit.exchange.fills_at_once = True
    pit.exchange.fill(closing, "3")
    successor.work()
    assert stored(entry).ord_status == OrdStatus.FILLED
    assert len(pit.exchange.sent) == 2


def test_resting_exits_make_room_first(pit: Pit) -> None:
    give(pit, "+3")
    resting = record_one(pit.desk, action="sell", order_type="exit", type="limit", price="200", quantity="3")
    pit.work()
    pit.exchange.sent.clear()
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    for _ in range(4):
        pit.work()
    assert stored(resting).ord_status == OrdStatus.CANCELED
    assert pit.exchange.sides() == [("SELL", Decimal(3)), ("SELL", Decimal(1))]
    assert (stored(entry).ord_status, held(pit)) == (OrdStatus.FILLED, Decimal(-1))


def test_a_worker_that_lost_its_lease_begins_no_reversal(pit: Pit) -> None:
    give(pit, "+3")
    entry = record_one(pit.desk, action="short_entry", quantity="1")
    expire_lease(user_id=pit.desk.user.id, epoch=pit.session.fence.epoch)
    with pytest.raises(LeaseLost):
        pit.work()
    assert not Order.objects.filter(parent=entry).exists()
