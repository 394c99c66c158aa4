"""What the worker and the sweeps read, where there is a lot of it."""

import datetime as dt

import pytest
from django.utils import timezone

from brokers.types import ExecType
from orders.models import Errand, Order
from orders.selectors import (
    WorkAtHand,
    unsent_orders,
    users_with_due_orders,
    users_with_patient_errands,
    users_without_worker,
    work_at_hand,
)
from orders.services.errands import write_errand
from orders.services.leases import Fence, take_lease
from orders.services.submission import begin_submission
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.requests import cancel
from tests.factories.sending import hear
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db

MANY = 30


def read(desk: Desk, **options: object) -> list[object]:
    return [order.id for order in unsent_orders(desk.user.id, **options)]  # type: ignore[arg-type]


def test_entries_in_one_symbol_are_one_row_and_hide_nothing(desk: Desk, fence: Fence) -> None:
    held = record_one(desk, quantity="10")
    begin_submission(held.id, fence=fence, dequeued_at=timezone.now())
    hear(held, make_fill(held, "10"))
    waiting = [record_one(desk) for _ in range(MANY)]
    Order.objects.filter(pk__in=[one.pk for one in waiting]).update(
        eligible_at=timezone.now() + dt.timedelta(hours=1)
    )
    elsewhere = record_one(desk, symbol="MSFT")
    exits = [record_one(desk, action="sell", order_type="exit", quantity="1") for _ in range(3)]
    in_flight = [record_one(desk, symbol="MSFT") for _ in range(2)]
    for order in in_flight:
        begin_submission(order.id, fence=fence, dequeued_at=timezone.now())
    expected = [waiting[0], elsewhere, *exits, *in_flight]
    assert read(desk) == [order.id for order in expected]


def test_the_look_at_what_is_at_hand_tells_the_kinds_of_work_apart(desk: Desk, fence: Fence) -> None:
    nothing = WorkAtHand(requests=False, orders=False, checks=False, errands=False)
    assert work_at_hand(desk.user.id) == nothing
    order = record_one(desk)
    assert work_at_hand(desk.user.id) == WorkAtHand(requests=False, orders=True, checks=False, errands=False)
    begin_submission(order.id, fence=fence, dequeued_at=timezone.now())
    Order.objects.filter(pk=order.pk).update(next_check_at=timezone.now())
    assert work_at_hand(desk.user.id) == WorkAtHand(requests=False, orders=True, checks=True, errands=False)
    hear(order, make_report(order, ExecType.NEW))
    assert work_at_hand(desk.user.id) == nothing, "it is looked at later"
    cancel(order)
    assert work_at_hand(desk.user.id) == WorkAtHand(requests=True, orders=False, checks=False, errands=False)
    assert work_at_hand(make_desk().user.id) == nothing, "another trader's"


def test_an_order_left_alone_does_not_hide_the_next_and_blocks_where_it_is_in_flight(
    desk: Desk, fence: Fence
) -> None:
    troubled, following = record_one(desk), record_one(desk)
    assert read(desk) == [troubled.id]
    assert read(desk, leave_out={troubled.id}) == [following.id]
    begin_submission(troubled.id, fence=fence, dequeued_at=timezone.now())
    assert read(desk, leave_out={troubled.id}) == [troubled.id, following.id]


def test_one_strategys_patience_does_not_hide_anothers_order(desk: Desk) -> None:
    patient = record_one(desk)
    Order.objects.filter(pk=patient.pk).update(strategy=None)
    other = record_one(desk)
    assert read(desk) == [patient.id, other.id]


def test_who_has_waited_longest_is_rung_first() -> None:
    desks = [make_desk() for _ in range(4)]
    now = timezone.now()
    for desk, seconds in zip(desks, (5, 50, 20, 100), strict=True):
        order = record_one(desk)
        Order.objects.filter(pk=order.pk).update(next_check_at=now - dt.timedelta(seconds=seconds))
    # The last one has been due for longest, and cannot be sent before the market opens.
    Order.objects.filter(user=desks[3].user).update(eligible_at=now + dt.timedelta(hours=1))
    assert users_with_due_orders(limit=2) == [desks[1].user.id, desks[2].user.id]
    ids = [desk.user.id for desk in desks]
    assert users_with_due_orders() == [ids[1], ids[2], ids[0], ids[3]]


def test_nobody_is_named_twice() -> None:
    desk = make_desk()
    for _ in range(2):
        order = record_one(desk)
        Order.objects.filter(pk=order.pk).update(next_check_at=timezone.now() - dt.timedelta(hours=1))
    assert users_with_due_orders() == [desk.user.id]


def ask(desk: Desk, kind: Errand.Kind, *, seconds_ago: int = 0) -> None:
    due_at = timezone.now() - dt.timedelta(seconds=seconds_ago)
    write_errand(user_id=desk.user.id, account_id=desk.account.pk, kind=kind, due_at=due_at)


def test_errands_that_can_wait_ring_for_a_worker_that_is_there_and_claim_none() -> None:
    covered, longest, lately, urgent, later = (make_desk() for _ in range(5))
    take_lease(user_id=covered.user.id, worker="w", host="h", pid=1)
    ask(covered, Errand.Kind.QUOTES, seconds_ago=1)
    ask(longest, Errand.Kind.RECONCILE, seconds_ago=90)
    ask(longest, Errand.Kind.QUOTES, seconds_ago=1)
    ask(lately, Errand.Kind.QUOTES, seconds_ago=30)
    ask(urgent, Errand.Kind.TEND_POSITION, seconds_ago=5)
    ask(later, Errand.Kind.QUOTES, seconds_ago=-60)
    assert set(users_with_due_orders()) == {covered.user.id, urgent.user.id}
    assert users_without_worker() == [urgent.user.id]
    assert users_with_patient_errands(limit=9) == [longest.user.id, lately.user.id]
    assert users_with_patient_errands(limit=1) == [longest.user.id]
