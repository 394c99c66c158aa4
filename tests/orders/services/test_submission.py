"""Sending: transaction 1, the call, transaction 2, and every way in which the call can end."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from brokers.errors import (
    BrokerUnavailable,
    CredentialsRefused,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)
from brokers.types import ExecType, IdempotencyClass, NewOrder, OrdStatus
from orders.models import AttentionItem, Order, OrderEvent
from orders.services.attempts import backoff_seconds
from orders.services.leases import Fence, LeaseLost, expire_lease, take_lease
from orders.services.lookup import look_up_order
from orders.services.sweeping import deny_stale_entry, stale_entries
from orders.services.unsent import deny_order
from orders.services.verification import note_check, verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.instruments import keep, listing
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import accept, submit
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db


def test_an_order_is_sent_once_under_its_own_id(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    adapter = accept(order)
    applied = submit(order, adapter, fence)
    assert applied is not None
    assert applied.order.ord_status == OrdStatus.NEW
    assert [command.cl_ord_id for command in adapter.sent] == [order.cl_ord_id]
    assert submit(order, adapter, fence) is None
    assert len(adapter.sent) == 1


def test_it_is_submitted_and_committed_before_the_first_byte_leaves(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    seen = []

    def before_send() -> None:
        seen.append((Order.objects.get(pk=order.pk).ord_status, connection.savepoint_ids))

    submit(order, accept(order), fence, before_send=before_send)
    assert [status for status, _ in seen] == [OrdStatus.SUBMITTED]


def test_what_the_stream_told_meanwhile_is_taken_in_with_the_answer(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, quantity="10")
    applied = submit(order, accept(order), fence, make_fill(order, "10", "101.5"))
    assert applied is not None
    assert (applied.order.ord_status, str(applied.order.avg_px)) == (OrdStatus.FILLED, "101.5000000000")
    assert applied.order.next_check_at is None


def test_a_refusal_is_final(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    applied = submit(order, ScriptedAdapter(submit=OrderRejected("no")), fence)
    assert applied is not None
    assert (applied.order.ord_status, applied.order.reason) == (OrdStatus.REJECTED, "OTHER")


@pytest.mark.parametrize(
    ("error", "least_seconds"),
    [
        (BrokerUnavailable("refused"), 1),
        (RateLimited("slow down", retry_after_seconds=7), 7),
    ],
)
def test_what_was_provably_not_sent_goes_back_and_waits(
    desk: Desk, fence: Fence, error: Exception, least_seconds: float
) -> None:
    order = record_one(desk)
    before = timezone.now()
    assert submit(order, ScriptedAdapter(submit=error), fence) is None
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.INITIALIZED
    assert order.eligible_at is not None
    assert order.eligible_at - before >= dt.timedelta(seconds=least_seconds)
    adapter = accept(order)
    assert submit(order, adapter, fence) is None, "it was sent before it was due"
    Order.objects.filter(pk=order.pk).update(eligible_at=before)
    assert submit(order, adapter, fence) is not None
    assert adapter.sent[0].cl_ord_id == order.cl_ord_id


def test_refused_credentials_are_put_on_the_attention_list(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=CredentialsRefused("401")), fence)
    assert AttentionItem.objects.get(order=order).kind == AttentionItem.Kind.CREDENTIALS_REFUSED


def test_an_unknown_outcome_stays_unknown_and_is_looked_up_at_once(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    adapter = ScriptedAdapter(submit=OutcomeUnknown("read timeout"))
    assert submit(order, adapter, fence) is None
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.SUBMITTED
    assert order.next_check_at is not None
    assert order.next_check_at <= timezone.now()
    assert OrderEvent.objects.filter(order=order, kind="OutcomeUnknown").exists()
    assert submit(order, adapter, fence) is None
    assert len(adapter.sent) == 1, "an order seen in SUBMITTED was sent"


def test_a_look_up_adopts_what_it_finds(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, quantity="10")
    submit(order, ScriptedAdapter(submit=OutcomeUnknown("timeout")), fence)
    order.refresh_from_db()
    found = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.FILLED, cum_qty=Decimal(10))
    adapter = ScriptedAdapter(found=found, executions=[make_fill(order, "10")])
    look_up_order(order, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty) == (OrdStatus.FILLED, Decimal(10))
    assert adapter.sent == []


def look_up_to_the_end(order: Order, fence: Fence) -> None:
    """Look the order up as often as it takes to believe the broker that it has none."""
    for _ in range(4):
        order.refresh_from_db()
        look_up_order(order, adapter=ScriptedAdapter(found=None), fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()


def test_an_order_that_a_class_a_broker_has_not_is_sent_again_with_the_same_id(
    desk: Desk, fence: Fence
) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=OutcomeUnknown("timeout")), fence)
    order.refresh_from_db()
    for _ in range(3):
        look_up_order(order, adapter=ScriptedAdapter(found=None), fence=fence)  # type: ignore[arg-type]
        order.refresh_from_db()
        assert order.ord_status == OrdStatus.SUBMITTED, "what was sent may still be on its way"
    look_up_order(order, adapter=ScriptedAdapter(found=None), fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.INITIALIZED
    adapter = accept(order)
    submit(order, adapter, fence)
    order.refresh_from_db()
    assert (adapter.sent[0].cl_ord_id, order.attempt) == (order.cl_ord_id, 2)


def test_sending_again_slows_down_and_is_told(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    for _ in range(4):
        Order.objects.filter(pk=order.pk).update(eligible_at=None)
        submit(order, ScriptedAdapter(submit=OutcomeUnknown("502")), fence)
        look_up_to_the_end(order, fence)
    assert (order.ord_status, order.attempt) == (OrdStatus.INITIALIZED, 4)
    assert order.eligible_at is not None
    assert order.eligible_at - timezone.now() > dt.timedelta(seconds=6)
    assert AttentionItem.objects.get(order=order).kind == AttentionItem.Kind.OUTCOME_UNKNOWN


def test_waiting_between_attempts_has_an_end() -> None:
    assert [backoff_seconds(attempt) for attempt in (1, 2, 3, 6, 5000)] == [1, 2, 4, 30, 30]


def test_an_order_denied_after_an_attempt_is_asked_about_all_the_same(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=OutcomeUnknown("timeout")), fence)
    look_up_to_the_end(order, fence)
    assert deny_order(order.id, reason="TOO_OLD", text="", source="sweep")
    order.refresh_from_db()
    assert (order.ord_status, order.next_check_at is None) == (OrdStatus.DENIED, False)
    late = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.NEW, cum_qty=Decimal(0))
    verify_account(
        desk.account.id,
        [order],
        adapter=ScriptedAdapter(listed=[late]),
        fence=fence,  # type: ignore[arg-type]
    )
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.NEW


def test_elsewhere_it_is_never_sent_again_and_a_person_is_told(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=OutcomeUnknown("timeout")), fence)
    adapter = ScriptedAdapter(found=None, idempotency_class=IdempotencyClass.C)
    for _ in range(4):
        order.refresh_from_db()
        look_up_order(order, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.SUBMITTED
    assert AttentionItem.objects.get(order=order).kind == AttentionItem.Kind.OUTCOME_UNKNOWN


def test_look_ups_come_after_0_1_2_4_seconds_then_every_30(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    submit(order, ScriptedAdapter(submit=OutcomeUnknown("timeout")), fence)
    waits = []
    for _ in range(5):
        before = timezone.now()
        note_check(order.id, "unreachable")
        order.refresh_from_db()
        assert order.next_check_at is not None
        waits.append(round((order.next_check_at - before).total_seconds()))
    assert waits == [1, 2, 4, 30, 30]


def test_a_process_whose_lease_has_ended_begins_nothing(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)
    expire_lease(user_id=desk.user.id, epoch=fence.epoch)
    successor = take_lease(user_id=desk.user.id, worker="v@h", host="h", pid=2)
    assert successor is not None
    assert successor.epoch == fence.epoch + 1
    adapter = accept(order)
    with pytest.raises(LeaseLost):
        submit(order, adapter, fence)
    order.refresh_from_db()
    assert (order.ord_status, adapter.sent) == (OrdStatus.INITIALIZED, [])


def test_a_deadline_that_passes_before_the_socket_write_takes_the_sending_back(
    desk: Desk, fence: Fence
) -> None:
    order = record_one(desk)

    def too_late() -> None:
        raise LeaseLost("asleep")

    adapter = accept(order)
    with pytest.raises(LeaseLost):
        submit(order, adapter, fence, before_send=too_late)
    order.refresh_from_db()
    assert (order.ord_status, adapter.sent) == (OrdStatus.INITIALIZED, [])


def test_taking_back_never_touches_a_later_attempt(desk: Desk, fence: Fence) -> None:
    order = record_one(desk)

    def woken_late() -> None:
        # Another worker has looked the order up, not found it, and sent it again meanwhile.
        look_up_to_the_end(order, fence)
        submit(order, ScriptedAdapter(submit=OutcomeUnknown("second attempt")), fence)
        raise LeaseLost("asleep")

    with pytest.raises(LeaseLost):
        submit(order, accept(order), fence, before_send=woken_late)
    order.refresh_from_db()
    assert (order.ord_status, order.attempt) == (OrdStatus.SUBMITTED, 2)


def test_an_old_entry_is_denied_and_an_old_exit_is_sent(desk: Desk, fence: Fence) -> None:
    entry = record_one(desk, quantity="5")
    submit(entry, accept(entry), fence, make_fill(entry, "5"))
    late = timezone.now() - dt.timedelta(minutes=10)
    entry = record_one(desk, received_at=late)
    applied = submit(entry, accept(entry), fence)
    assert applied is not None
    assert (applied.order.ord_status, applied.order.reason) == (OrdStatus.DENIED, "TOO_OLD")
    exit_order = record_one(desk, action="close_long", received_at=late)
    applied = submit(exit_order, accept(exit_order), fence)
    assert applied is not None
    assert applied.order.ord_status == OrdStatus.NEW


def test_a_multiplier_that_is_learned_of_late_denies_an_entry_and_no_exit(desk: Desk, fence: Fence) -> None:
    held, late = record_one(desk, quantity="5"), record_one(desk, quantity="5")
    submit(held, accept(held), fence, make_fill(held, "5"))
    keep("alpaca", listing("AAPL", multiplier=Decimal(50)))
    keep("paper", listing("AAPL"), listing("ESZ6", multiplier=Decimal(50)))
    other = record_one(desk, quantity="5")
    applied = submit(other, accept(other), fence, make_fill(other, "5", exec_id="e2"))
    assert applied is not None
    assert applied.order.ord_status == OrdStatus.FILLED, "another broker's, or another symbol's"
    keep("paper", listing("AAPL", multiplier=Decimal(50)))
    adapter = accept(late)
    applied = submit(late, adapter, fence)
    assert applied is not None
    assert (applied.order.ord_status, applied.order.reason) == (OrdStatus.DENIED, "UNSUPPORTED_MULTIPLIER")
    assert (adapter.sent, "AAPL" in applied.order.text) == ([], True)
    exit_order = record_one(desk, action="close_long")
    applied = submit(exit_order, accept(exit_order), fence)
    assert applied is not None
    assert applied.order.ord_status == OrdStatus.NEW


def test_the_sweep_denies_what_nobody_sent_unless_it_waits_for_the_open(desk: Desk) -> None:
    late = timezone.now() - dt.timedelta(minutes=10)
    waiting = make_desk(queues_for_open=True)
    stale, young, patient = (
        record_one(desk, received_at=late),
        record_one(desk),
        record_one(waiting, received_at=late),
    )
    assert [deny_stale_entry(order_id) for order_id in stale_entries()] == [True]
    statuses = [Order.objects.get(pk=order.pk).ord_status for order in (stale, young, patient)]
    assert statuses == [OrdStatus.DENIED, OrdStatus.INITIALIZED, OrdStatus.INITIALIZED]


def test_one_call_checks_an_account_and_missing_fills_are_fetched(desk: Desk, fence: Fence) -> None:
    orders = [record_one(desk, quantity="10", type="limit", price="90") for _ in range(3)]
    for order in orders:
        submit(order, accept(order), fence)
        order.refresh_from_db()
    listed = [make_report(order, ExecType.ORDER_STATUS, cum_qty=Decimal(0)) for order in orders[:2]]
    adapter = ScriptedAdapter(listed=listed)
    verify_account(desk.account.id, orders, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    assert adapter.asked == ["orders"]
    filled = make_report(orders[0], ExecType.ORDER_STATUS, ord_status=OrdStatus.FILLED, cum_qty=Decimal(10))
    adapter = ScriptedAdapter(listed=[filled], executions=[make_fill(orders[0], "10")])
    verify_account(desk.account.id, orders, adapter=adapter, fence=fence)  # type: ignore[arg-type]
    assert adapter.asked == ["orders", "executions"]
    assert Order.objects.get(pk=orders[0].pk).ord_status == OrdStatus.FILLED


def test_a_canceled_order_whose_fills_are_missing_is_asked_about_again(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, quantity="10", type="limit", price="90")
    submit(order, accept(order), fence)
    order.refresh_from_db()
    canceled = make_report(order, ExecType.ORDER_STATUS, ord_status=OrdStatus.CANCELED, cum_qty=Decimal(4))
    verify_account(
        desk.account.id,
        [order],
        adapter=ScriptedAdapter(listed=[canceled]),
        fence=fence,  # type: ignore[arg-type]
    )
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.CANCELED
    assert order.next_check_at is not None, "four shares were bought and nobody asks for them any more"


def test_the_command_is_the_same_for_every_attempt(desk: Desk, fence: Fence) -> None:
    order = record_one(desk, type="limit", price="99.5", time_in_force="gtc")
    sent: list[NewOrder] = []
    for _ in range(2):
        adapter = ScriptedAdapter(submit=BrokerUnavailable("refused"))
        submit(order, adapter, fence)
        sent += adapter.sent
        Order.objects.filter(pk=order.pk).update(eligible_at=None)
    assert sent[0] == sent[1]
