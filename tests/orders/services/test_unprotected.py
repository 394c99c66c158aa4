"""A position without its stop is told of in time, looked at again, and struck off once it has one."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from brokers.types import ExecType
from orders.models import AttentionItem, Errand, Order, Source
from orders.services.leases import Fence
from orders.services.new_orders import ExitTerms, Provenance, write_order
from orders.services.unprotected import watch_protection
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import accepting, hear, send_order
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

STOP = {"stop_loss": {"percent": "2"}}
LATE, EARLY = dt.timedelta(seconds=11), dt.timedelta(seconds=8)


def entered(desk: Desk, fence: Fence, ago: dt.timedelta = LATE, **fields: object) -> Order:
    order = record_one(desk, quantity="10", **fields)
    send_order(order, fence, accepting(order))
    return hear(order, make_fill(order, "10", exec_id="e1", transact_time=timezone.now() - ago))


def stopped(entry: Order) -> Order:
    """Return a stop of this entry's that the broker works."""
    terms = ExitTerms(symbol="AAPL", side="SELL", ord_type="STOP", stop_px=Decimal(98))  # type: ignore[arg-type]
    provenance = Provenance(
        source=Source.DESK,
        received_at=timezone.now(),
        leg="STOP_LOSS",
        parent=entry,  # type: ignore[arg-type]
    )
    stop = write_order(terms, entry.account, Decimal(10), provenance)
    return hear(stop, make_report(stop, ExecType.NEW))


def alarms() -> list[tuple[str, bool]]:
    items = AttentionItem.objects.filter(kind="UNPROTECTED").order_by("id")
    return [(item.detail, item.resolved_at is None) for item in items]


def test_a_position_without_its_stop_is_told_of_and_looked_at(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence, **STOP)
    Errand.objects.all().delete()
    assert watch_protection() == [desk.user.id]
    assert watch_protection() == [desk.user.id]
    assert AttentionItem.objects.get().order == entry
    assert Errand.objects.get().symbol == "AAPL"


def test_one_that_is_young_is_given_its_time(desk: Desk, fence: Fence) -> None:
    entered(desk, fence, EARLY, **STOP)
    assert watch_protection() == []
    assert alarms() == []


def test_one_with_a_working_stop_is_in_order(desk: Desk, fence: Fence) -> None:
    stopped(entered(desk, fence, **STOP))
    assert watch_protection() == []
    assert alarms() == []


def test_the_alarm_is_over_once_the_stop_works(desk: Desk, fence: Fence) -> None:
    entry = entered(desk, fence, **STOP)
    watch_protection()
    stopped(entry)
    watch_protection()
    assert [is_open for _, is_open in alarms()] == [False]


def test_the_alarm_is_over_with_the_position(desk: Desk, fence: Fence) -> None:
    entered(desk, fence, **STOP)
    watch_protection()
    way_out = record_one(desk, action="close_long")
    hear(way_out, make_fill(way_out, "10", exec_id="c1"))
    watch_protection()
    assert [is_open for _, is_open in alarms()] == [False]


def test_a_refusal_is_told_of_at_once_and_not_taken_back_for_being_young(desk: Desk, fence: Fence) -> None:
    from orders.services.attention import open_item

    entry = entered(desk, fence, EARLY, **STOP)
    open_item(AttentionItem.Kind.UNPROTECTED, order=entry, detail="refused")
    watch_protection()
    assert alarms() == [("refused", True)]


def test_a_stop_that_has_ended_gives_the_next_its_time(desk: Desk, fence: Fence) -> None:
    stop = stopped(entered(desk, fence, **STOP))
    hear(stop, make_report(stop, ExecType.CANCELED))
    assert watch_protection() == []
    Order.objects.filter(pk=stop.pk).update(transact_time=timezone.now() - LATE)
    assert watch_protection() == [desk.user.id]


def test_a_strategy_that_demands_protection_is_told_of_entries_without(desk: Desk, fence: Fence) -> None:
    desk.strategy.demands_protection = True
    desk.strategy.save()
    entered(desk, fence)
    assert watch_protection() == [], "there is nothing that its worker could place"
    ((detail, is_open),) = alarms()
    assert is_open
    assert "its strategy demands one" in detail


def test_positions_that_nobody_wants_protected_are_left_alone(desk: Desk, fence: Fence) -> None:
    entered(desk, fence)
    entered_with_target = record_one(desk, symbol="MSFT", quantity="1", take_profit={"percent": "5"})
    hear(entered_with_target, make_fill(entered_with_target, "1", exec_id="m1"))
    assert watch_protection() == []
    assert alarms() == []
