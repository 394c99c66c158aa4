"""Recording: one signal an alert, quota, quantities, and nothing at all after a failure."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from brokers.types import ExecType, OrdStatus
from orders.intake.sizing import SizingError
from orders.models import Order, OrderEvent, OrderQuota, Signal
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.intake import AlreadyRecorded
from orders.services.quotas import QuotaExceeded
from tests.factories.alerts import record, record_manual, record_one
from tests.factories.reports import make_report
from tests.factories.sending import hold
from tests.factories.traders import Desk, make_account, make_desk

pytestmark = pytest.mark.django_db


def test_an_alert_becomes_a_signal_an_order_and_its_history(desk: Desk) -> None:
    received_at = timezone.now()
    order = record_one(desk, quantity="1.5", received_at=received_at)
    stored = Order.objects.get(pk=order.pk)
    assert (stored.ord_status, stored.order_qty, stored.leaves_qty) == (
        OrdStatus.INITIALIZED,
        Decimal("1.5"),
        Decimal("1.5"),
    )
    assert len(stored.cl_ord_id) == 22
    assert stored.next_check_at is not None
    assert stored.signal is not None
    assert "secret" not in stored.signal.body
    event = OrderEvent.objects.get(order=order)
    assert event.kind == "Recorded"
    assert event.stages["received"] == received_at.isoformat()


def test_the_same_alert_again_names_the_first_order_and_costs_no_quota(desk: Desk) -> None:
    order = record_one(desk, id="a1")
    with pytest.raises(AlreadyRecorded) as again:
        record(desk, id="a1")
    assert again.value.order_id == order.id
    assert Signal.objects.count() == Order.objects.count() == 1
    assert OrderQuota.objects.get(user=desk.user).day_count == 1


def test_the_daily_limit_is_never_passed_and_says_when_it_opens(desk: Desk) -> None:
    desk = make_desk(daily_order_limit=2)
    record(desk)
    record(desk)
    with pytest.raises(QuotaExceeded) as refused:
        record(desk)
    assert (refused.value.per, refused.value.limit) == ("day", 2)
    assert 0 < refused.value.retry_after_seconds <= 86_400
    assert Signal.objects.filter(user=desk.user).count() == 2


def test_the_day_is_the_traders_own() -> None:
    desk = make_desk(daily_order_limit=1)
    desk.trader.time_zone = "Asia/Tokyo"
    before_midnight = dt.datetime(2026, 5, 4, 14, 59, 30, tzinfo=dt.UTC)  # 23:59:30 in Tokyo
    record(desk, received_at=before_midnight)
    with pytest.raises(QuotaExceeded) as refused:
        record(desk, received_at=before_midnight + dt.timedelta(seconds=10))
    assert refused.value.retry_after_seconds == pytest.approx(20)
    record(desk, received_at=before_midnight + dt.timedelta(seconds=40))


def test_the_minute_has_a_limit_too() -> None:
    desk = make_desk(orders_per_minute=1)
    at = dt.datetime(2026, 5, 4, 12, 0, 15, tzinfo=dt.UTC)
    record(desk, received_at=at)
    with pytest.raises(QuotaExceeded) as refused:
        record(desk, received_at=at + dt.timedelta(seconds=1))
    assert refused.value.per == "minute"
    assert refused.value.retry_after_seconds == 44
    record(desk, received_at=at + dt.timedelta(seconds=60))


def test_exits_cost_no_quota(desk: Desk) -> None:
    desk = make_desk(daily_order_limit=1)
    hold(desk, "10")
    order = record_one(desk, action="sell", order_type="exit", quantity="4")
    assert (order.position_effect, order.order_qty) == ("CLOSE", Decimal(4))


def test_an_exit_never_exceeds_the_position_less_what_other_exits_close(desk: Desk) -> None:
    hold(desk, "10")
    first = record_one(desk, action="sell", order_type="exit", quantity="7")
    second = record_one(desk, action="sell", order_type="exit", quantity="7")
    assert (first.order_qty, second.order_qty) == (Decimal(7), Decimal(3))
    assert record(desk, action="close_long", quantity=None) == []


def test_closing_takes_the_whole_position_of_that_side_only(desk: Desk) -> None:
    hold(desk, "6", action="sell")
    assert record(desk, action="close_long") == []
    order = record_one(desk, action="close_short", quantity="1")
    assert (order.side, order.order_qty) == ("BUY", Decimal(6))


def test_an_alert_without_quantity_takes_the_strategys_default(desk: Desk) -> None:
    desk.strategy.default_quantity = Decimal(3)
    assert record_one(desk, quantity=None).order_qty == Decimal(3)
    desk.strategy.default_quantity = None
    with pytest.raises(SizingError):
        record(desk, quantity=None, id="later")
    assert not Signal.objects.filter(replay_key="id:later").exists()


def test_an_idempotency_key_places_one_order(desk: Desk) -> None:
    first = record_manual(desk, key="k1", side="buy", quantity="1")
    with pytest.raises(AlreadyRecorded) as again:
        record_manual(desk, key="k1", side="buy", quantity="1")
    assert again.value.order_id == first.id
    assert Order.objects.filter(user=desk.user).count() == 1


def test_the_same_key_for_a_whole_exit_names_the_first_order(desk: Desk) -> None:
    hold(desk, "10")
    first = record_manual(desk, key="close-1", side="sell", position_effect="close")
    with pytest.raises(AlreadyRecorded) as again:
        record_manual(desk, key="close-1", side="sell", position_effect="close")
    assert again.value.order_id == first.id


def test_an_exit_whose_fills_are_still_to_come_keeps_its_share(desk: Desk) -> None:
    hold(desk, "10")
    order = record_one(desk, action="close_long")
    canceled = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.CANCELED, cum_qty=Decimal(4))
    apply_execution_reports([canceled], account_id=desk.account.id, origin=Origin("poll"))
    assert record(desk, action="close_long", id="second") == []


def test_another_traders_key_is_another_key(desk: Desk) -> None:
    other = make_desk()
    assert make_account(other.user).user_id != desk.user.id
    record_one(desk, id="same")
    record_one(other, id="same")
    assert Signal.objects.filter(replay_key="id:same").count() == 2
