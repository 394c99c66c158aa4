"""In what order a worker does its work: what somebody waits for first, and nothing in the way of anything else."""

import datetime as dt
import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from brokers.errors import BrokerUnavailable, MarketClosed, OutcomeUnknown
from brokers.types import ExecType, IdempotencyClass, NewOrder
from orders.models import Errand, Order, OrderRequest
from orders.services.errands import finish_errand, write_errand
from tasks.fleet.session import TraderSession
from tasks.fleet.slots import Slot, boottime
from tests.factories.alerts import record, record_one
from tests.factories.reports import make_report
from tests.factories.requests import cancel
from tests.factories.traders import Desk, make_desk
from tests.tasks.test_pick_next import holder_of, new_session

UNKNOWN = OutcomeUnknown("black hole")


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.mark.django_db
def test_an_order_that_its_trader_has_canceled_is_not_sent_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    adapter.idempotency_class = IdempotencyClass.A
    accepting, adapter.submit = adapter.submit, UNKNOWN
    order = record_one(desk)
    session.work()
    asked = cancel(order)
    for _ in range(8):  # the cancel waits for an order at the broker, ever longer; the look-ups find none
        OrderRequest.objects.update(eligible_at=None)
        session.work()
        order.refresh_from_db()
        if order.ord_status == "INITIALIZED":
            break
        Order.objects.filter(ord_status="SUBMITTED").update(next_check_at=timezone.now())
    adapter.submit = accepting
    adapter.sent.clear()
    session.work()
    order.refresh_from_db()
    asked.refresh_from_db()
    assert adapter.sent == []
    assert (order.ord_status, order.reason) == ("DENIED", "CANCELED_BEFORE_SENDING")
    assert asked.status == OrderRequest.Status.ACCEPTED


@pytest.mark.django_db
def test_an_opening_that_has_passed_by_our_clock_is_no_reason_to_send_without_a_pause(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    adapter.submit = MarketClosed("closed", next_open=timezone.now() - dt.timedelta(seconds=2))
    first, other = record_one(desk), record_one(desk, symbol="MSFT")
    session.work()
    assert [command.cl_ord_id for command in adapter.sent] == [first.cl_ord_id, other.cl_ord_id]


@pytest.mark.django_db
def test_an_exit_waits_for_one_look_up_at_the_most(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session, adapter = new_session(desk, monkeypatch)
    holder_of(desk, session, adapter)
    accepting, adapter.submit = adapter.submit, UNKNOWN
    for number in range(6):
        record_one(desk, symbol=f"S{number}")
    session.work()
    Order.objects.filter(ord_status="SUBMITTED").update(checks=4, next_check_at=timezone.now())
    adapter.submit, adapter.found = accepting, UNKNOWN
    adapter.asked.clear()
    asked_when_sent: list[int] = []

    def look(cl_ord_id: str) -> Any:
        adapter.asked.append(cl_ord_id)
        if len(adapter.asked) == 1:
            record_one(desk, action="close_long")  # while this look-up waits for its time-out
        raise UNKNOWN

    def submit(command: NewOrder, **_: Any) -> Any:
        asked_when_sent.append(len(adapter.asked))
        return make_report(Order.objects.get(cl_ord_id=command.cl_ord_id), ExecType.NEW)

    monkeypatch.setattr(adapter, "get_order", look)
    monkeypatch.setattr(adapter, "submit_order", submit)
    session.work()
    assert asked_when_sent == [1]
    assert len(adapter.asked) > 1, "the others were looked up after it"


@pytest.mark.django_db
def test_what_an_earlier_worker_left_in_flight_is_looked_up_after_what_can_be_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    adapter.submit = UNKNOWN
    record_one(desk)
    session.work()
    elsewhere = record_one(desk, symbol="MSFT")
    monkeypatch.setattr("orders.services.leases.settings.LEASE_TTL_SECONDS", 0.0)
    successor, its_adapter = new_session(desk, monkeypatch)
    its_adapter.found = UNKNOWN
    asked_when_sent: list[int] = []

    def submit(command: NewOrder) -> Any:
        asked_when_sent.append(len(its_adapter.asked))
        return make_report(elsewhere, ExecType.NEW)

    its_adapter.submit = submit
    monkeypatch.setattr("orders.services.submission.hold_lease", lambda fence: None)
    successor.work()
    assert asked_when_sent == [0]
    assert its_adapter.asked


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_holds_up_only_its_own_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    held, free = record_one(desk), record_one(desk, symbol="MSFT")
    parameters = connection.get_connection_params()
    outside = {name: parameters[name] for name in ("host", "user", "dbname") if name in parameters}
    with connection.cursor() as cursor, psycopg.connect(**outside) as other:
        other.execute("SELECT FROM orders_order WHERE id = %s FOR UPDATE", [held.id])
        cursor.execute("SET statement_timeout = 300")
        try:
            session.work()
        finally:
            cursor.execute("RESET statement_timeout")
        other.rollback()
    assert [command.cl_ord_id for command in adapter.sent] == [free.cl_ord_id]


@pytest.mark.django_db
def test_a_successor_looks_at_once_at_what_rests_since_nobody_has_listened(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = new_session(desk, monkeypatch)
    order = record_one(desk, type="limit", price="100")
    session.work()
    later = timezone.now() + dt.timedelta(seconds=290)
    Order.objects.filter(pk=order.pk).update(checks=9, next_check_at=later)
    session.work()
    order.refresh_from_db()
    assert order.next_check_at == later, "a worker that goes on has listened"
    successor = TraderSession(session.fence, Slot(deadline=boottime() + 60))
    opened: list[uuid.UUID] = []

    def open_account(account_id: uuid.UUID) -> Any:
        opened.append(account_id)
        return session._account(account_id)

    monkeypatch.setattr(successor, "_account", open_account)
    successor.work()
    assert desk.account.id in opened


@pytest.mark.django_db
def test_a_canceled_exit_that_never_left_does_not_keep_the_next_from_closing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    holder_of(desk, session, adapter)
    adapter.submit = BrokerUnavailable("no connection")
    first = record_one(desk, action="close_long")
    session.work()
    cancel(first)
    first.refresh_from_db()
    assert (first.ord_status, first.attempt) == ("DENIED", 1)
    (second,) = record(desk, action="close_long")
    assert second.order_qty == 10


@pytest.mark.django_db
def test_errands_that_come_again_and_again_do_not_keep_the_broker_from_being_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = new_session(desk, monkeypatch)
    order = record_one(desk)
    session.work()
    order.refresh_from_db()
    Order.objects.filter(pk=order.pk).update(next_check_at=timezone.now() - dt.timedelta(hours=1))
    place: dict[str, Any] = {
        "account_id": desk.account.pk,
        "kind": Errand.Kind.TEND_POSITION,
        "symbol": "AAPL",
    }

    Errand.objects.all().delete()

    def comes_again(errand: Errand) -> bool:
        done = finish_errand(errand)
        write_errand(user_id=desk.user.pk, **place)
        return done

    write_errand(user_id=desk.user.pk, **place)
    monkeypatch.setattr("tasks.fleet.session.finish_errand", comes_again)
    session.work()
    before = order.checks
    order.refresh_from_db()
    assert order.checks > before, "it was asked about"
