"""Recording cancels and replaces: what is recorded, refused, or settled at once; and who wins a race."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from brokers.types import ExecType, OrdStatus
from failpoints import listening
from orders.intake.fields import FieldCode
from orders.intake.order_request import parse_order_request
from orders.intake.replace_request import InvalidRequest
from orders.models import Order, OrderEvent, OrderRequest, Source
from orders.services.changes import Change, Origin, lock_order
from orders.services.executions import apply_execution_reports
from orders.services.intake import record_order
from orders.services.leases import Fence, take_lease
from orders.services.requests import (
    KeyUsedElsewhere,
    Refusal,
    ReplaceTerms,
    RequestRefused,
    record_cancel,
    record_replace,
)
from orders.services.submission import begin_submission, undo_submission
from orders.state import CancelRequested
from tests.factories.alerts import record_one
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db

LIMIT = {"type": "limit", "price": "100"}


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def cancel(order: Order, **fields: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "user_id": order.user_id,
        "order_id": order.id,
        "source": Source.API,
        "received_at": timezone.now(),
        "statement_timeout_ms": 2000,
    }
    return record_cancel(**(values | fields))


def replace(order: Order, *, key: str | None = None, digest: str = "", **terms: str) -> OrderRequest:
    return record_replace(
        user_id=order.user_id,
        order_id=order.id,
        terms=ReplaceTerms(**{name: Decimal(value) for name, value in terms.items()}),
        source=Source.API,
        received_at=timezone.now(),
        statement_timeout_ms=2000,
        idempotency_key=key,
        request_digest=digest,
    )


def resting(desk: Desk, **fields: Any) -> Order:
    """Return an order of 10 AAPL that rests at the broker, a limit order unless told otherwise."""
    order = record_one(desk, **(LIMIT | fields))
    tell(order, make_report(order, ExecType.NEW))
    order.refresh_from_db()
    return order


def tell(order: Order, *reports: Any) -> None:
    apply_execution_reports(list(reports), account_id=order.account_id, origin=Origin("stream"))


def hold(desk: Desk, qty: str) -> None:
    order = record_one(desk, quantity=qty)
    tell(order, make_report(order, ExecType.NEW), make_fill(order, qty, exec_id=order.cl_ord_id))


def kinds(order: Order) -> list[str]:
    return list(OrderEvent.objects.filter(order=order).order_by("id").values_list("kind", flat=True))


# --- cancel ---


def test_a_cancel_of_a_resting_order_is_recorded_for_the_worker(desk: Desk) -> None:
    order = resting(desk)
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
    order = resting(desk)
    soon = timezone.now() + dt.timedelta(seconds=1)
    Order.objects.filter(pk=order.pk).update(next_check_at=soon)
    cancel(order)
    order.refresh_from_db()
    assert order.next_check_at == soon


def test_a_second_cancel_is_the_first_while_that_is_open(desk: Desk) -> None:
    order = resting(desk)
    first = cancel(order)
    assert cancel(order).pk == first.pk
    assert kinds(order).count("CancelRecorded") == 1
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
    assert kinds(order) == ["Recorded", "CancelRecorded", "Denied"]


def test_so_is_one_that_came_back_because_it_was_provably_not_sent(desk: Desk) -> None:
    order = record_one(desk)
    fence = _fence(desk)
    assert begin_submission(order.id, fence=fence, dequeued_at=timezone.now())
    undo_submission(order.id, 1, "refused", eligible_at=None, fence=fence)
    assert cancel(order).status == "ACCEPTED"
    order.refresh_from_db()
    assert (order.ord_status, order.ended) == (OrdStatus.DENIED, True)
    assert order.next_check_at is not None, "the broker is asked in case the proof was none"


def test_what_waits_to_be_replaced_is_moot_once_the_order_is_denied(desk: Desk) -> None:
    order = record_one(desk, **LIMIT)
    waiting = replace(order, price="101")
    cancel(order)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("MOOT", "TOO_LATE")
    assert waiting.answered_at is not None
    event = OrderEvent.objects.get(order=order, kind="RequestDeclined")
    assert event.data["request"] == waiting.cl_ord_id


def test_an_order_in_flight_is_not_denied(desk: Desk) -> None:
    order = record_one(desk)
    begin_submission(order.id, fence=_fence(desk), dequeued_at=timezone.now())
    assert cancel(order).status == "RECORDED"
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.SUBMITTED


def test_an_order_that_has_ended_refuses_both(desk: Desk) -> None:
    order = resting(desk)
    tell(order, make_fill(order, "10"))
    for ask in (lambda: cancel(order), lambda: replace(order, price="101")):
        with pytest.raises(RequestRefused) as refused:
            ask()
        assert (refused.value.code, refused.value.ord_status) == (Refusal.ORDER_ENDED, OrdStatus.FILLED)
    assert not OrderRequest.objects.exists()


def test_anothers_order_is_not_found(desk: Desk) -> None:
    order = resting(desk)
    with pytest.raises(Order.DoesNotExist):
        cancel(order, user_id=make_desk().user.id)
    with pytest.raises(Order.DoesNotExist):
        cancel(order, order_id=uuid.uuid4())
    assert not OrderRequest.objects.exists()


def test_no_rule_stands_in_a_cancels_way() -> None:
    desk = make_desk(daily_order_limit=1)
    order = resting(desk)
    desk.strategy.paused = True
    desk.strategy.save()
    desk.trader.terms_accepted_at = None
    desk.trader.save()
    desk.account.verified_at = None
    desk.account.save()
    assert cancel(order).status == "RECORDED"


# --- replace ---


def test_a_replace_carries_its_terms(desk: Desk) -> None:
    order = resting(desk)
    request = replace(order, order_qty="12.5", price="99.95")
    stored = OrderRequest.objects.get(pk=request.pk)
    assert (stored.kind, stored.status) == ("REPLACE", "RECORDED")
    assert (stored.order_qty, stored.price, stored.stop_px) == (Decimal("12.5"), Decimal("99.95"), None)
    order.refresh_from_db()
    assert (order.order_qty, order.price) == (Decimal(10), Decimal(100)), "only the broker's word changes it"
    event = OrderEvent.objects.get(order=order, kind="ReplaceRecorded")
    assert event.data == {
        "request": str(request.id),
        "cl_ord_id": request.cl_ord_id,
        "order_qty": "12.5",
        "price": "99.95",
    }


@pytest.mark.parametrize("sent", [False, True])
def test_an_order_that_the_broker_does_not_work_yet_is_replaced_later(desk: Desk, sent: bool) -> None:
    order = record_one(desk, **LIMIT)
    if sent:
        begin_submission(order.id, fence=_fence(desk), dequeued_at=timezone.now())
    assert replace(order, price="101").status == "RECORDED"


def test_one_replace_at_a_time_and_none_beside_a_cancel(desk: Desk) -> None:
    order = resting(desk)
    replace(order, price="101")
    with pytest.raises(RequestRefused) as refused:
        replace(order, price="102")
    assert refused.value.code is Refusal.REPLACE_OPEN
    cancel(order)
    with pytest.raises(RequestRefused) as refused:
        replace(order, price="102")
    assert refused.value.code is Refusal.CANCEL_OPEN
    assert OrderRequest.objects.filter(order=order).count() == 2


def test_a_cancel_at_the_brokers_own_site_stands_in_a_replaces_way_too(desk: Desk) -> None:
    order = resting(desk)
    tell(order, make_report(order, ExecType.PENDING_CANCEL))
    with pytest.raises(RequestRefused) as refused:
        replace(order, price="101")
    assert (refused.value.code, refused.value.ord_status) == (Refusal.CANCEL_OPEN, OrdStatus.PENDING_CANCEL)


def test_a_market_order_has_nothing_to_replace(desk: Desk) -> None:
    order = record_one(desk)
    with pytest.raises(RequestRefused) as refused:
        replace(order, order_qty="11")
    assert refused.value.code is Refusal.MARKET_ORDER


def test_a_broker_that_replaces_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace as changed

    from brokers.paper.factory import CAPABILITIES
    from orders.services import requests

    monkeypatch.setattr(requests, "capabilities_of", lambda name: changed(CAPABILITIES, replaces=False))
    with pytest.raises(RequestRefused) as refused:
        replace(resting(desk), price="101")
    assert refused.value.code is Refusal.BROKER_CANNOT_REPLACE


@pytest.mark.parametrize(
    ("terms", "field", "code"),
    [
        ({}, "order_qty", FieldCode.REQUIRED),
        ({"order_qty": "4"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "3.9"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "0"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "1000000000000"}, "order_qty", FieldCode.OUT_OF_RANGE),
        ({"order_qty": "5.0000000001"}, "order_qty", FieldCode.TOO_PRECISE),
        ({"price": "-1"}, "price", FieldCode.OUT_OF_RANGE),
        ({"price": "NaN"}, "price", FieldCode.BAD_FORMAT),
        ({"stop_px": "99"}, "stop_px", FieldCode.NOT_ALLOWED),
    ],
)
def test_terms_that_do_not_fit(desk: Desk, terms: dict[str, str], field: str, code: FieldCode) -> None:
    order = resting(desk)
    tell(order, make_fill(order, "4"))
    with pytest.raises(InvalidRequest) as invalid:
        replace(order, **terms)
    assert [(error.field, error.code) for error in invalid.value.errors] == [(field, code)]
    assert not OrderRequest.objects.exists()


def test_a_quantity_fits_the_brokers_step(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from orders.services import replace_terms

    monkeypatch.setattr(replace_terms, "lot_step", lambda account: Decimal(1))
    order = resting(desk)
    with pytest.raises(InvalidRequest) as invalid:
        replace(order, order_qty="10.5")
    assert invalid.value.errors[0].code is FieldCode.TOO_PRECISE
    assert replace(order, order_qty="11").status == "RECORDED"


def test_a_stop_order_takes_a_stop_price_and_no_limit(desk: Desk) -> None:
    order = resting(desk, type="stop", price=None, stop_price="110")
    with pytest.raises(InvalidRequest):
        replace(order, price="101", stop_px="111")
    assert replace(order, stop_px="111").stop_px == Decimal(111)


def test_an_exit_never_grows_beyond_what_there_is_to_close(desk: Desk) -> None:
    hold(desk, "10")
    first = resting(desk, action="sell", order_type="exit", quantity="4")
    second = resting(desk, action="sell", order_type="exit", quantity="3")
    with pytest.raises(InvalidRequest) as invalid:
        replace(first, order_qty="7.5")
    assert "at most 7," in invalid.value.errors[0].message
    replace(first, order_qty="6")
    with pytest.raises(InvalidRequest) as invalid:
        replace(second, order_qty="5")
    assert "at most 4," in invalid.value.errors[0].message, "what the first has asked for is spoken for"
    body = b'{"symbol": "AAPL", "side": "sell", "position_effect": "close"}'
    rest = record_order(
        trader=desk.trader,
        account=desk.account,
        request=parse_order_request(body, "application/json"),
        source=Source.API,
        received_at=timezone.now(),
        statement_timeout_ms=2000,
    )
    assert rest.order_qty == Decimal(1)


def test_an_exit_may_always_shrink(desk: Desk) -> None:
    hold(desk, "10")
    order = resting(desk, action="sell", order_type="exit", quantity="10")
    assert replace(order, order_qty="2.5").status == "RECORDED"


# --- the idempotency key ---


def test_the_same_key_is_the_same_request_also_when_the_order_has_ended(desk: Desk) -> None:
    order = resting(desk)
    first = replace(order, key="k", digest="d", price="101")
    assert replace(order, key="k", digest="d", price="101").pk == first.pk
    tell(order, make_fill(order, "10"))
    assert replace(order, key="k", digest="d", price="101").pk == first.pk
    assert OrderRequest.objects.count() == 1


def test_a_key_belongs_to_one_request(desk: Desk) -> None:
    order, other = resting(desk), resting(desk)
    replace(order, key="k", digest="d", price="101")
    for ask in (
        lambda: replace(order, key="k", digest="e", price="102"),
        lambda: replace(other, key="k", digest="d", price="101"),
        lambda: cancel(order, idempotency_key="k", request_digest="d"),
    ):
        with pytest.raises(KeyUsedElsewhere) as used:
            ask()
        assert used.value.order_id == order.id
    assert OrderRequest.objects.count() == 1


def test_another_traders_key_is_another_key(desk: Desk) -> None:
    cancel(resting(desk), idempotency_key="k")
    assert cancel(resting(make_desk()), idempotency_key="k").status == "RECORDED"


# --- the failpoints ---


def test_the_points_lie_on_either_side_of_the_commit(desk: Desk) -> None:
    order = resting(desk)
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


# --- races ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cancel_first", [True, False])
def test_either_the_worker_sends_or_the_cancel_denies(cancel_first: bool) -> None:
    desk = make_desk()
    order, fence = record_one(desk), _fence(desk)

    def submit() -> Any:
        return begin_submission(order.id, fence=fence, dequeued_at=timezone.now())

    def ask() -> Any:
        return cancel(order)

    if cancel_first:
        asked, sending = race(ask, submit, at="request.record.before_commit")
    else:
        sending, asked = race(submit, ask, at="submit.before_commit")
    order.refresh_from_db()
    if cancel_first:
        assert (order.ord_status, asked.status, sending) == (OrdStatus.DENIED, "ACCEPTED", None)
    else:
        assert (order.ord_status, asked.status) == (OrdStatus.SUBMITTED, "RECORDED")
        assert sending.command.cl_ord_id == order.cl_ord_id


@pytest.mark.django_db(transaction=True)
def test_two_cancels_at_once_are_one() -> None:
    order = resting(make_desk())
    first, second = race(lambda: cancel(order), lambda: cancel(order), at="request.record.before_commit")
    assert first.pk == second.pk
    assert OrderRequest.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_replace_of_an_exit_and_a_new_exit_at_once_share_the_position() -> None:
    desk = make_desk()
    hold(desk, "10")
    order = resting(desk, action="sell", order_type="exit", quantity="4")

    def new_exit() -> Order:
        return record_one(desk, action="sell", order_type="exit", quantity="6")

    _, exit_order = race(lambda: replace(order, order_qty="9"), new_exit, at="request.record.before_commit")
    assert exit_order.order_qty == Decimal(1)


@pytest.mark.django_db(transaction=True)
def test_one_key_for_two_orders_at_once() -> None:
    desk = make_desk()
    order, other = resting(desk), resting(desk)

    def late() -> Any:
        with pytest.raises(KeyUsedElsewhere) as used:
            cancel(other, idempotency_key="k")
        return used.value.order_id

    _, order_id = race(lambda: cancel(order, idempotency_key="k"), late, at="request.record.before_commit")
    assert order_id == order.id


def race(first: Callable[[], Any], second: Callable[[], Any], *, at: str) -> tuple[Any, Any]:
    """Run ``first`` up to the point ``at``, begin ``second`` on a connection of its own, let both end.

    Before ``first`` goes on, ``second`` has to wait for a lock that it holds.
    """
    results: list[Any] = []

    def late() -> None:
        try:
            results.append(second())
        finally:
            connections["default"].close()

    other = threading.Thread(target=late)

    def note(name: str) -> None:
        if name == at and threading.current_thread() is threading.main_thread():
            other.start()
            other.join(0.5)
            assert other.is_alive(), "it did not wait"

    with listening(note):
        won = first()
        other.join(10)
    assert results, "the second has failed"
    return won, results[0]


def test_the_database_takes_no_second_open_request_of_a_kind(desk: Desk) -> None:
    order = resting(desk)
    first = cancel(order)
    twin = OrderRequest.objects.get(pk=first.pk)
    twin.pk, twin.cl_ord_id = uuid.uuid4(), "another"
    with pytest.raises(IntegrityError, match="orderrequest_one_open"), transaction.atomic():
        twin.save(force_insert=True)


def test_a_cancel_that_is_under_way_is_still_the_one(desk: Desk) -> None:
    order = resting(desk)
    first = cancel(order)
    with transaction.atomic():
        change = Change(lock_order(order.id), Origin("worker"))
        change.apply(CancelRequested(first.cl_ord_id), at=timezone.now())
        change.save()
    again = cancel(order)
    assert (again.pk, again.status) == (first.pk, "SENT")


def _fence(desk: Desk) -> Fence:
    fence = take_lease(user_id=desk.user.id, worker="w@h", host="h", pid=1)
    assert fence is not None
    return fence
