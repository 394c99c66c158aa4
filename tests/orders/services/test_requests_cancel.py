"""Recording cancels: what is recorded, refused, or settled at once."""

import datetime as dt
import uuid

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from brokers.types import OrdStatus
from failpoints import listening
from orders.models import Order, OrderEvent, OrderRequest
from orders.services.changes import Change, Origin, lock_order
from orders.services.requests import Refusal, RequestRefused
from orders.services.submission import begin_submission
from orders.services.submission_answers import undo_submission
from orders.state import CancelRequested
from tests.factories.alerts import record_one
from tests.factories.history import event_kinds
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill
from tests.factories.requests import ask_cancel, cancel, replace
from tests.factories.sending import at_broker, hear
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


def test_a_cancel_of_a_resting_order_is_recorded_for_the_worker(desk: Desk) -> None:
    order = at_broker(desk)
    Order.objects.filter(pk=order.pk).update(next_check_at=timezone.now() + dt.timedelta(hours=1))
    received_at = timezone.now()
    request = cancel(order, received_at=received_at)
    stored = OrderRequest.objects.get(pk=request.pk)
    assert (stored.kind, stored.status, stored.order_id) == ("CANCEL", "RECORDED", order.id)
    assert len(stored.cl_ord_id) == 22
    assert stored.cl_ord_id != order.cl_ord_id
    assert stored.answered_at is None
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.NEW
    assert order.next_check_at is not None
    assert (order.next_check_at - received_at).total_seconds() == pytest.approx(
        settings.UNDELIVERED_SECONDS, abs=1
    )
    event = OrderEvent.objects.get(order=order, kind="CancelRecorded")
    assert (event.source, event.data) == (
        "web",
        {"request": str(request.id), "cl_ord_id": request.cl_ord_id},
    )
    assert event.stages["received"] == received_at.isoformat()
    assert event.stages["recorded"] == stored.recorded_at.isoformat()


def test_a_check_that_is_due_sooner_stays(desk: Desk) -> None:
    order = at_broker(desk)
    soon = timezone.now() + dt.timedelta(seconds=1)
    Order.objects.filter(pk=order.pk).update(next_check_at=soon)
    cancel(order)
    order.refresh_from_db()
    assert order.next_check_at == soon


def test_a_second_cancel_is_the_first_while_that_is_open(desk: Desk) -> None:
    order = at_broker(desk)
    first = cancel(order)
    assert cancel(order).pk == first.pk
    assert event_kinds(order).count("CancelRecorded") == 1
    OrderRequest.objects.filter(pk=first.pk).update(status="REFUSED", answered_at=timezone.now())
    assert cancel(order).pk != first.pk


def test_an_order_that_was_not_sent_is_denied_and_the_cancel_answered(desk: Desk) -> None:
    order = record_one(desk)
    request = cancel(order)
    order.refresh_from_db()
    assert (order.ord_status, order.reason) == (OrdStatus.DENIED, "CANCELED_BEFORE_SENDING")
    assert order.ended
    assert order.next_check_at is None
    stored = OrderRequest.objects.get(pk=request.pk)
    assert stored.status == request.status == "ACCEPTED"
    assert stored.answered_at is not None
    assert event_kinds(order) == ["Recorded", "CancelRecorded", "Denied"]


def test_so_is_one_that_came_back_because_it_was_provably_not_sent(desk: Desk) -> None:
    order = record_one(desk)
    fence = lease_of(desk)
    assert begin_submission(order.id, fence=fence, dequeued_at=timezone.now())
    undo_submission(order.id, 1, "refused", eligible_at=None, fence=fence)
    assert cancel(order).status == "ACCEPTED"
    order.refresh_from_db()
    assert (order.ord_status, order.ended) == (OrdStatus.DENIED, True)
    assert order.next_check_at is not None, "the broker is asked in case the proof was none"


def test_what_waits_to_be_replaced_is_moot_once_the_order_is_denied(desk: Desk) -> None:
    order = record_one(desk, type="limit", price="100")
    waiting = replace(order, price="101")
    cancel(order)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("MOOT", "TOO_LATE")
    assert waiting.answered_at is not None
    event = OrderEvent.objects.get(order=order, kind="RequestDeclined")
    assert event.data["request"] == waiting.cl_ord_id


def test_who_waits_for_an_order_that_is_denied_or_for_its_replace_has_an_answer(desk: Desk) -> None:
    order = record_one(desk, type="limit", price="100")
    waiting = replace(order, price="101")
    assert ask_cancel(order).settled == (order.id, waiting.id)
    assert ask_cancel(at_broker(desk)).settled == ()


def test_an_order_in_flight_is_not_denied(desk: Desk) -> None:
    order = record_one(desk)
    begin_submission(order.id, fence=lease_of(desk), dequeued_at=timezone.now())
    asked = ask_cancel(order)
    assert (asked.request.status, asked.settled) == ("RECORDED", ())
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.SUBMITTED


def test_an_order_that_has_ended_refuses_both(desk: Desk) -> None:
    order = at_broker(desk)
    hear(order, make_fill(order, "10"))
    for ask in (lambda: cancel(order), lambda: replace(order, price="101")):
        with pytest.raises(RequestRefused) as refused:
            ask()
        assert (refused.value.code, refused.value.ord_status) == (Refusal.ORDER_ENDED, OrdStatus.FILLED)
    assert not OrderRequest.objects.exists()


def test_anothers_order_is_not_found(desk: Desk) -> None:
    order = at_broker(desk)
    with pytest.raises(Order.DoesNotExist):
        cancel(order, user_id=make_desk().user.id)
    with pytest.raises(Order.DoesNotExist):
        cancel(order, order_id=uuid.uuid4())
    assert not OrderRequest.objects.exists()


def test_no_rule_stands_in_a_cancels_way() -> None:
    desk = make_desk(daily_order_limit=1)
    order = at_broker(desk)
    desk.strategy.paused = True
    desk.strategy.save()
    desk.trader.terms_accepted_at = None
    desk.trader.save()
    desk.account.verified_at = None
    desk.account.save()
    assert cancel(order).status == "RECORDED"


def test_the_database_takes_no_second_open_request_of_a_kind(desk: Desk) -> None:
    order = at_broker(desk)
    first = cancel(order)
    twin = OrderRequest.objects.get(pk=first.pk)
    twin.pk, twin.cl_ord_id = uuid.uuid4(), "another"
    with pytest.raises(IntegrityError, match="orderrequest_one_open"), transaction.atomic():
        twin.save(force_insert=True)


def test_a_cancel_that_is_under_way_is_still_the_one(desk: Desk) -> None:
    order = at_broker(desk)
    first = cancel(order)
    with transaction.atomic():
        change = Change(lock_order(order.id), Origin("worker"))
        change.apply(CancelRequested(first.cl_ord_id), at=timezone.now())
        change.save()
    again = cancel(order)
    assert (again.pk, again.status) == (first.pk, "SENT")


def test_the_points_lie_on_either_side_of_the_commit(desk: Desk) -> None:
    order = at_broker(desk)
    passed: list[tuple[str, bool]] = []

    def note(name: str) -> None:
        passed.append((name, OrderRequest.objects.filter(order=order).exists()))
        if name == "request.record.before_commit" and len(passed) == 1:
            raise ZeroDivisionError

    with listening(note):
        with pytest.raises(ZeroDivisionError):
            cancel(order)
        assert not OrderRequest.objects.exists()
        cancel(order)
    assert [name for name, _ in passed] == [
        "request.record.before_commit",
        "request.record.before_commit",
        "request.record.after_commit",
    ]
