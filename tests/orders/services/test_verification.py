"""Checks of an account's working orders: what one order's trouble, a twin or a foreign replace does to them."""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from django.utils import timezone

from brokers.errors import OrderRejected, OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.models import AttentionItem, Errand, Order, OrderEvent, OrderRequest
from orders.services.attention import resolve_item
from orders.services.leases import Fence
from orders.services.links import open_links
from orders.services.verification import verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.reports import make_fill, make_report
from tests.factories.requests import replacing, request, send
from tests.factories.sending import resting
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

STATUS = ExecType.ORDER_STATUS


@dataclass
class Broker(ScriptedAdapter):
    """Lists only what it is asked for by id, as a real one does; knows further orders by its own id."""

    by_id: dict[str, ExecutionReport] = field(default_factory=dict)
    fails: BaseException | None = None

    def list_orders(self, *, since: dt.datetime, cl_ord_ids: object = None) -> list[ExecutionReport]:
        if self.fails is not None:
            raise self.fails
        return [one for one in self.listed if one.cl_ord_id in cl_ord_ids]  # type: ignore[operator]

    def get_order_by_broker_id(self, broker_order_id: str) -> ExecutionReport | None:
        self.asked.append(broker_order_id)
        return self.by_id.get(broker_order_id)


def check(broker: Broker, fence: Fence, *orders: Order) -> None:
    for order in orders:
        order.refresh_from_db()
    verify_account(orders[0].account_id, orders, adapter=broker, fence=fence)  # type: ignore[arg-type]
    for order in orders:
        order.refresh_from_db()


def items_of(order: Order) -> list[str]:
    return [item.detail for item in AttentionItem.objects.filter(order=order).order_by("id")]


def whys_of(order: Order) -> list[str]:
    return [event.data["why"] for event in OrderEvent.objects.filter(order=order, kind="Checked")]


# --- replaced, and no open replace of ours says by what ---


@pytest.fixture
def refused(order: Order, fence: Fence) -> OrderRequest:
    """A replace whose first sending is late, and whose second one the broker has refused because of that."""
    asked = request(order, "REPLACE", price=Decimal(101))
    send(asked, ScriptedAdapter(replace=OutcomeUnknown("timeout")), fence)
    works = Broker(listed=[make_report(order, STATUS)])
    for _ in range(4):
        check(works, fence, order)
    OrderRequest.objects.update(eligible_at=None)
    send(asked, ScriptedAdapter(replace=OrderRejected("order is replaced")), fence)
    assert asked.status == "REFUSED"
    return asked


def test_a_replace_that_was_carried_out_after_all_is_followed(
    order: Order, refused: OrderRequest, fence: Fence
) -> None:
    new = replacing(order, refused, STATUS, ord_status=OrdStatus.FILLED, cum_qty=Decimal(10))
    old = make_report(order, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B2")
    fill = make_fill(order, "10", cl_ord_id=refused.cl_ord_id, broker_order_id=new.broker_order_id)
    check(Broker(listed=[old, new], by_id={"B2": new}, executions=[fill]), fence, order)
    assert (order.ord_status, order.cum_qty, order.price) == (OrdStatus.FILLED, 10, 101)
    assert (order.working_cl_ord_id, order.broker_order_id) == (refused.cl_ord_id, new.broker_order_id)
    refused.refresh_from_db()
    assert refused.status == "ACCEPTED"


def test_a_chain_of_replaces_is_followed(order: Order, refused: OrderRequest, fence: Fence) -> None:
    second = request(order, "REPLACE", price=Decimal(102))
    OrderRequest.objects.filter(pk=second.pk).update(status="DENIED", answered_at=timezone.now())
    first_link = replacing(order, refused, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B3")
    last_link = replacing(order, second, STATUS, broker_order_id="B3", replaces="B2")
    old = make_report(order, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B2")
    broker = Broker(listed=[old], by_id={"B2": first_link, "B3": last_link})
    check(broker, fence, order)
    assert broker.asked == ["B2", "B3"]
    assert (order.broker_order_id, open_links(order)) == ("B3", [second.cl_ord_id])


def test_replacements_that_name_each_other_are_not_followed_for_ever(order: Order, fence: Fence) -> None:
    old = make_report(order, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B2")
    broker = Broker(listed=[old], by_id={"B2": old})
    check(broker, fence, order)
    assert broker.asked == ["B2"] * 5
    assert order.checks == 1


def test_a_replace_at_the_brokers_own_site_has_the_account_compared(order: Order, fence: Fence) -> None:
    theirs = make_report(order, STATUS, cl_ord_id="by-hand", broker_order_id="B2")
    old = make_report(order, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B2")
    broker = Broker(listed=[old], by_id={"B2": theirs})
    check(broker, fence, order)
    assert Errand.objects.get(account=order.account).kind == Errand.Kind.RECONCILE
    assert items_of(order) == []


def test_an_open_replace_of_ours_needs_no_following(order: Order, fence: Fence) -> None:
    asked = request(order, "REPLACE", price=Decimal(101))
    send(asked, ScriptedAdapter(replace=OutcomeUnknown("timeout")), fence)
    old = make_report(order, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B2")
    broker = Broker(listed=[old, replacing(order, asked, STATUS)])
    check(broker, fence, order)
    assert (order.working_cl_ord_id, broker.asked) == (asked.cl_ord_id, [])


# --- two orders of one id ---


def test_of_two_orders_of_one_id_the_one_that_is_ours_counts(order: Order, fence: Fence) -> None:
    ours = make_report(order, STATUS, ord_status=OrdStatus.CANCELED)
    twin = make_report(order, STATUS, broker_order_id="twin")
    check(Broker(listed=[ours, twin]), fence, order)
    assert order.ord_status == OrdStatus.CANCELED


def test_a_twin_that_a_person_has_seen_is_not_told_of_again(desk: Desk, order: Order, fence: Fence) -> None:
    ours, twin, third = (
        make_report(order, STATUS, **named)
        for named in ({}, {"broker_order_id": "twin"}, {"broker_order_id": "third"})
    )
    for _ in range(2):
        check(Broker(listed=[ours, twin]), fence, order)
    item = AttentionItem.objects.get(order=order)
    resolve_item(item, desk.user, "canceled it by hand")
    check(Broker(listed=[ours, twin]), fence, order)
    assert AttentionItem.objects.filter(order=order).count() == 1
    check(Broker(listed=[ours, twin, third]), fence, order)
    open_one = AttentionItem.objects.get(order=order, resolved_at=None)
    assert "third" in open_one.detail


def test_an_open_item_names_a_further_twin_too(order: Order, fence: Fence) -> None:
    ours, twin = make_report(order, STATUS), make_report(order, STATUS, broker_order_id="twin")
    check(Broker(listed=[ours, twin]), fence, order)
    check(Broker(listed=[ours, twin, make_report(order, STATUS, broker_order_id="third")]), fence, order)
    (detail,) = items_of(order)
    assert "third" in detail


# --- trouble ---


@pytest.mark.django_db(transaction=True)
def test_an_unwritable_report_holds_up_no_other_order(desk: Desk, fence: Fence) -> None:
    bad, good = resting(desk, fence), resting(desk, fence)
    broker = Broker(
        listed=[
            make_report(bad, STATUS, text="not\0storable"),
            make_report(good, STATUS, ord_status=OrdStatus.CANCELED),
        ]
    )
    before = timezone.now()
    check(broker, fence, bad, good)
    assert (good.ord_status, bad.ord_status) == (OrdStatus.CANCELED, OrdStatus.NEW)
    assert (bad.checks, whys_of(bad)) == (1, ["check failed: DataError"])
    assert bad.next_check_at is not None
    assert bad.next_check_at > before + dt.timedelta(seconds=1)


@pytest.mark.django_db(transaction=True)
def test_an_unwritable_fill_holds_up_no_other_fill(desk: Desk, fence: Fence) -> None:
    orders = [resting(desk, fence) for _ in range(2)]
    broker = Broker(
        listed=[make_report(one, STATUS, ord_status=OrdStatus.FILLED, cum_qty=Decimal(10)) for one in orders],
        executions=[make_fill(orders[0], "10", exec_id="x" * 300), make_fill(orders[1], "10")],
    )
    check(broker, fence, *orders)
    assert [one.cum_qty for one in orders] == [0, 10]
    assert orders[0].next_check_at is not None


def test_an_unreadable_order_holds_up_no_other(desk: Desk, fence: Fence) -> None:
    bad, good = resting(desk, fence), resting(desk, fence)
    Order.objects.filter(pk=bad.pk).update(state={"no": "state"})
    check(Broker(listed=[make_report(good, STATUS, ord_status=OrdStatus.CANCELED)]), fence, bad, good)
    assert good.ord_status == OrdStatus.CANCELED
    assert (bad.checks, whys_of(bad)) == (1, ["check failed: ValueError"])


@pytest.mark.parametrize("error", [ValueError("no json"), KeyError("qty"), OutcomeUnknown("timeout")])
def test_an_answer_that_cannot_be_read_counts_as_a_check_of_all(
    desk: Desk, fence: Fence, error: Exception
) -> None:
    orders = [resting(desk, fence) for _ in range(2)]
    check(Broker(fails=error), fence, *orders)
    assert [one.checks for one in orders] == [1, 1]


def test_a_successor_that_cannot_be_asked_for_is_asked_for_again(
    order: Order, refused: OrderRequest, fence: Fence
) -> None:
    old = make_report(order, STATUS, ord_status=OrdStatus.REPLACED, replaced_by="B2")
    broker = Broker(listed=[old])
    broker.get_order_by_broker_id = raising(OutcomeUnknown("timeout"))  # type: ignore[method-assign]
    checks = order.checks
    check(broker, fence, order)
    assert (order.checks, whys_of(order)[-1]) == (checks + 1, "check failed: timeout")
    check(Broker(listed=[old], by_id={"B2": replacing(order, refused, STATUS)}), fence, order)
    assert order.working_cl_ord_id == refused.cl_ord_id


def raising(error: BaseException):  # type: ignore[no-untyped-def]
    def call(*_: object) -> None:
        raise error

    return call
