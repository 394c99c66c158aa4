"""An operator says which of the broker's orders is the unknown one; the worker looks, and adopts or refuses it."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, IdempotencyClass, OrdStatus, Side
from orders.models import AttentionItem, Order, OrderEvent
from orders.services.adoption import wished_adoption
from orders.services.attention import open_item
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import Fence
from orders.services.lookup import look_up_order
from orders.services.resolution import ResolutionRefused, adopt_order
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.history import event_kinds
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import UNKNOWN, send_order
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

Kind = AttentionItem.Kind
THEIRS = "broker-77"


def item_of(order: Order, kind: str = Kind.OUTCOME_UNKNOWN) -> AttentionItem:
    return AttentionItem.objects.get(order=order, kind=kind)


def wish(order: Order, operator: User, broker_order_id: str = THEIRS) -> None:
    adopt_order(order.id, broker_order_id=broker_order_id, operator=operator, reason="seen at the broker's")


def look(order: Order, fence: Fence, report: Any, *fills: ExecutionReport) -> ScriptedAdapter:
    adapter = ScriptedAdapter(by_broker_id=report, executions=fills, idempotency_class=IdempotencyClass.C)
    look_up_order(order, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    return adapter


def theirs(order: Order, **fields: Any) -> ExecutionReport:
    values = {"broker_order_id": THEIRS, "ord_status": OrdStatus.NEW} | fields
    return make_report(order, ExecType.ORDER_STATUS, **values)


def test_the_worker_adopts_the_order_that_the_operator_names(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    unknown.refresh_from_db()
    assert unknown.ord_status == OrdStatus.SUBMITTED, "only the broker's word makes it so"
    assert unknown.next_check_at is not None
    assert unknown.next_check_at <= timezone.now()
    adapter = look(unknown, fence, theirs(unknown))
    assert adapter.asked == [THEIRS]
    assert (unknown.ord_status, unknown.broker_order_id) == (OrdStatus.NEW, THEIRS)
    item = item_of(unknown)
    assert (item.resolved_by, item.resolution) == (operator, f"adopted {THEIRS}: seen at the broker's")
    assert item.resolved_at is not None
    assert event_kinds(unknown)[-3:] == ["AdoptRequested", "Adopted", "StatusReport"]
    asked = OrderEvent.objects.get(order=unknown, kind="AdoptRequested")
    assert (asked.data["operator_id"], asked.data["reason"]) == (operator.pk, "seen at the broker's")
    log = LogEntry.objects.get()
    assert (log.user, log.object_id) == (operator, str(unknown.pk))
    assert THEIRS in log.change_message


def test_an_order_under_another_id_is_adopted_with_its_fills(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    other = {"cl_ord_id": "6f1b7b1e-0000-4000-8000-00000000abcd", "broker_order_id": THEIRS}
    report = theirs(unknown, ord_status=OrdStatus.PARTIALLY_FILLED, cum_qty=Decimal(4), **other)
    fills = [
        make_fill(unknown, "4", "101", **other),
        make_fill(unknown, "9", "1", exec_id="x2", cl_ord_id="z", broker_order_id="z"),
    ]
    look(unknown, fence, report, *fills)
    assert (unknown.ord_status, unknown.cum_qty, unknown.avg_px) == (
        OrdStatus.PARTIALLY_FILLED,
        Decimal(4),
        Decimal(101),
    )
    assert unknown.working_cl_ord_id == other["cl_ord_id"]
    assert wished_adoption(unknown) is not None  # harmless: it is not looked up any more


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"symbol": "MSFT"}, "its symbol is MSFT"),
        ({"side": Side.SELL}, "its side is SELL"),
        ({"order_qty": Decimal(9)}, "its quantity is 9"),
        ({"transact_time": timezone.now() - dt.timedelta(hours=1)}, "before the order was sent"),
        ({"transact_time": timezone.now() - dt.timedelta(minutes=3)}, "before the order was sent"),
        (None, "the broker has no order of that id"),
    ],
)
def test_what_does_not_fit_is_refused_and_stays_open(
    unknown: Order, fence: Fence, operator: User, fields: dict[str, Any] | None, why: str
) -> None:
    wish(unknown, operator)
    look(unknown, fence, None if fields is None else theirs(unknown, **fields))
    assert (unknown.ord_status, unknown.broker_order_id) == (OrdStatus.SUBMITTED, "")
    item = item_of(unknown)
    assert item.resolved_at is None
    assert why in item.detail
    assert why in OrderEvent.objects.get(order=unknown, kind="AdoptRefused").data["why"]
    adapter = look(unknown, fence, theirs(unknown))
    assert THEIRS not in adapter.asked, "a refused wish was tried again"


def test_an_order_that_another_of_ours_has_is_refused(
    desk: Desk, unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    twin = record_one(desk, quantity="10")
    send_order(twin, fence, lambda _: make_report(twin, ExecType.NEW, broker_order_id=THEIRS))
    look(unknown, fence, theirs(unknown, cl_ord_id="foreign"))
    assert unknown.ord_status == OrdStatus.SUBMITTED
    assert "another order of the desk has it" in item_of(unknown).detail
    with pytest.raises(ResolutionRefused, match="Another order of this account"):
        wish(unknown, operator)


def test_an_order_that_carries_the_id_of_another_of_ours_is_refused(
    desk: Desk, unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    twin = send_order(record_one(desk, quantity="10"), fence, UNKNOWN)
    look(unknown, fence, theirs(twin))
    assert "client order id of another order" in item_of(unknown).detail
    twin.refresh_from_db()
    assert (unknown.ord_status, twin.ord_status) == (OrdStatus.SUBMITTED, OrdStatus.SUBMITTED)


def test_a_broker_that_does_not_answer_leaves_the_wish_standing(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    look(unknown, fence, OutcomeUnknown("timeout"))
    assert unknown.ord_status == OrdStatus.SUBMITTED
    look(unknown, fence, theirs(unknown))
    assert unknown.ord_status == OrdStatus.NEW


def test_adopting_one_of_two_settles_the_duplicate_in_the_operators_name(
    unknown: Order, fence: Fence, operator: User
) -> None:
    open_item(Kind.DUPLICATE_AT_BROKER, order=unknown, detail="one, two")
    wish(unknown, operator)
    look(unknown, fence, theirs(unknown))
    assert item_of(unknown, Kind.DUPLICATE_AT_BROKER).resolved_by == operator


@pytest.mark.parametrize(
    ("broker_order_id", "reason"), [("", "why"), ("a b", "why"), ("x" * 65, "why"), ("x", " ")]
)
def test_a_wish_needs_an_id_and_a_reason(
    unknown: Order, operator: User, broker_order_id: str, reason: str
) -> None:
    with pytest.raises(ResolutionRefused):
        adopt_order(unknown.id, broker_order_id=broker_order_id, operator=operator, reason=reason)
    assert "AdoptRequested" not in event_kinds(unknown)


def test_an_adopted_order_is_followed_under_the_brokers_id(
    unknown: Order, fence: Fence, operator: User
) -> None:
    wish(unknown, operator)
    other = {"cl_ord_id": "6f1b7b1e-0000-4000-8000-00000000abcd", "broker_order_id": THEIRS}
    look(unknown, fence, theirs(unknown, **other))
    applied = apply_execution_report(
        make_fill(unknown, "10", **other), account_id=unknown.account_id, origin=Origin("stream", fence)
    )
    assert applied is not None
    assert (applied.order.pk, applied.order.ord_status) == (unknown.pk, OrdStatus.FILLED)
    assert not AttentionItem.objects.filter(kind=Kind.UNMATCHED_REPORT).exists()
