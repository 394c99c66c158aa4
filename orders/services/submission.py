"""Send an order, once: transaction 1, the broker call, transaction 2.

| what the broker call does | what it means | what becomes of the order |
|---|---|---|
| returns a report | the broker has it | the report is applied |
| ``OrderRejected`` | proven refusal | ``REJECTED`` |
| ``NotSent``, ``LeaseLost`` | proven not sent | back to ``INITIALIZED``, sent again when due |
| ``OutcomeUnknown`` | nobody knows | stays ``SUBMITTED``: looked up, never sent again blindly |
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import CredentialsRefused, MarketClosed, NotSent, OrderRejected, OutcomeUnknown
from brokers.types import (
    BeforeSend,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    OrdType,
    PositionEffect,
    Side,
    TimeInForce,
)
from failpoints import failpoint
from orders.intake.sizing import SizingError
from orders.models import AttentionItem, Order, OrderRequest
from orders.services.attention import open_item
from orders.services.changes import Change, Origin, change_order, lock_order, write_event
from orders.services.closed_markets import (
    Closed,
    closed_at_broker,
    closed_market,
    hold_back,
    queues_for_open,
)
from orders.services.drift import DRIFT_HALT, DRIFT_TEXT
from orders.services.executions import Applied, apply_execution_reports
from orders.services.leases import Fence, LeaseLost, hold_lease
from orders.services.legs import still_closes, stop_sent_with
from orders.services.refusals import refusal_columns, waiting_columns
from orders.services.repeating import repeats_too_late
from orders.services.retrying import retried
from orders.services.sizing import settle_entry
from orders.services.sizing_facts import SizingFacts
from orders.services.turns import is_reversing, lock_for_sending, put_off, turn_of
from orders.state import Denied, Rejected, Resized, Submitted
from orders.state import NotSent as NotSentEvent
from orders.turns import Clear, NothingToClose, Turn

NOTHING_TO_CLOSE = "NOTHING_TO_CLOSE"
MAX_BACKOFF_SECONDS = 30.0
ALARMING_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Sending:
    """Transaction 1 has committed: this command may be sent, once."""

    order_id: uuid.UUID
    account_id: uuid.UUID
    attempt: int
    command: NewOrder


def submit_order(
    order_id: uuid.UUID,
    *,
    adapter: BrokerAdapter,
    fence: Fence,
    before_send: BeforeSend,
    heard: Callable[[], Sequence[ExecutionReport]],
    dequeued_at: dt.datetime,
    facts: SizingFacts | None = None,
) -> Applied | None:
    """Send one recorded order and apply the answer; None where it was not to be sent after all.

    ``facts`` are what an order that is still to be sized is sized by.

    ``before_send`` is called right before the first byte leaves and raises ``LeaseLost`` to forbid it. ``heard``
    gives what the broker's stream has told of this order meanwhile, so that one transaction takes in both.
    Raises ``LeaseLost`` where another process acts for the trader now.
    """
    failpoint("submit.before")
    sending = begin_submission(order_id, fence=fence, dequeued_at=dequeued_at, facts=facts)
    if not isinstance(sending, Sending):
        return sending
    sent_at = timezone.now()
    if sending.attempt > 1 and _repeats_too_late(sending, adapter, sent_at):
        why = "sent before, and the broker would take it for another order by now"
        leave_unknown(sending, why, fence=fence, sent_at=sent_at)
        return None
    try:
        report = adapter.submit_order(sending.command, before_send=before_send)
    except OrderRejected as error:
        failpoint("send.after")
        return Applied(refuse_submission(sending, error, fence=fence, sent_at=sent_at), True, False)
    except MarketClosed as error:
        return meet_closed_market(sending, error, fence=fence)
    except NotSent as error:
        due = _eligible_at(sending, error)
        told = waiting_columns(error, due)
        undo_submission(order_id, sending.attempt, str(error), eligible_at=due, fence=fence, told=told)
        if isinstance(error, CredentialsRefused):
            _report_credentials(sending, error)
        return None
    except LeaseLost as error:
        undo_submission(order_id, sending.attempt, str(error), eligible_at=None, fence=fence)
        raise
    except OutcomeUnknown as error:
        failpoint("send.after")
        leave_unknown(sending, str(error), fence=fence, sent_at=sent_at)
        return None
    failpoint("send.after")
    stages = {"sent": sent_at, "acknowledged": timezone.now()}
    return apply_execution_reports(
        [report, *heard()], account_id=sending.account_id, origin=Origin("response", fence, stages)
    )


def _repeats_too_late(sending: Sending, adapter: BrokerAdapter, now: dt.datetime) -> bool:
    return repeats_too_late(Order.objects.get(pk=sending.order_id), adapter.capabilities, now)


@retried
def begin_submission(
    order_id: uuid.UUID, *, fence: Fence, dequeued_at: dt.datetime, facts: SizingFacts | None = None
) -> Sending | Applied | None:
    """Transaction 1: mark the order ``SUBMITTED`` under this lease, so that nobody else ever sends it.

    An exit is sized here, by what there is to close now, and so is an entry whose rule needs price or equity. Returns
    the command; or what was decided where it was denied instead; or None where there is nothing to send, or not yet:
    what has to end before is still in its way. Raises ``LeaseLost``.
    """
    with transaction.atomic():
        order = lock_for_sending(order_id)
        cancel = _waiting_cancel(order)
        hold_lease(fence)
        now = timezone.now()
        if order.ord_status != OrdStatus.INITIALIZED or (order.eligible_at and order.eligible_at > now):
            return None
        turn = turn_of(order) if cancel is None and is_reversing(order) else None
        if turn is not None and not isinstance(turn, Clear):
            return _not_now(
                order, turn, now, fence
            )  # its end sees to the closing order, whatever would deny it
        # What has waited for the opening may find that the market stays closed today after all.
        closed = closed_market(order, now) if order.eligible_at is not None else None
        if closed is not None and cancel is None:
            return _hold_back(order, closed, until=closed.opens_at, origin=Origin("worker", fence))
        denial = _denial(order, now)
        if denial is not None:
            _deny(order, *denial, Origin("worker", fence))
            return Applied(order, changed=True, missing_fills=False)
        if cancel is not None:
            return cancel_unsent(order, cancel, Origin("worker", fence))
        turn = turn or turn_of(order)
        if not isinstance(turn, Clear) or _has_aged(order, now):
            return _not_now(order, turn, now, fence)
        change = Change(order, Origin("worker", fence, {"dequeued": dequeued_at}))
        try:
            _settle_quantity(change, turn, facts, now)
        except SizingError as error:
            _deny(order, error.code, f"Not sized: {error.message}.", Origin("worker", fence))
            return Applied(order, changed=True, missing_fills=False)
        attempt = order.attempt + 1
        change.apply(Submitted(attempt), at=now)
        change.set(
            attempt=attempt,
            epoch=fence.epoch,
            submitted_at=order.submitted_at or now,
            eligible_at=None,
            reason="",
            text="",
        )
        change.save()
        failpoint("submit.before_commit")
    failpoint("submit.after_commit")
    return Sending(order.id, order.account_id, attempt, command_of(order))


def _denial(order: Order, now: dt.datetime) -> tuple[str, str] | None:
    """Return why an order that ``lock_for_sending`` gave is not sent any more, as code and words."""
    if order.leg and not still_closes(order):
        return NOTHING_TO_CLOSE, "There is no position to protect any more."
    if is_too_old(order, now):
        return "TOO_OLD", "The entry was not sent before it grew too old."
    if order.position_effect == PositionEffect.OPEN and order.account_halted:  # type: ignore[attr-defined]
        return DRIFT_HALT, DRIFT_TEXT
    return None


def _not_now(order: Order, turn: Turn, now: dt.datetime, fence: Fence) -> Applied | None:
    """Put off an order whose way is not clear; deny an exit that finds nothing to close, and return it.

    So is an entry whose way is clear now, after a reversal that has taken too long.
    """
    if isinstance(turn, Clear):
        _deny(
            order, "TOO_OLD", "The opposite position is closed, which took too long.", Origin("worker", fence)
        )
        return Applied(order, changed=True, missing_fills=False)
    if isinstance(turn, NothingToClose):
        _deny(order, NOTHING_TO_CLOSE, "There is nothing left to close.", Origin("worker", fence))
        return Applied(order, changed=True, missing_fills=False)
    change = Change(order, Origin("worker", fence))
    put_off(change, now)
    change.save()
    return None


def _settle_quantity(change: Change, turn: Clear, facts: SizingFacts | None, now: dt.datetime) -> None:
    """Give an order the quantity that it is sent with. Raises ``SizingError`` before anything is changed."""
    settled = settle_entry(change.order, facts)
    if settled is not None:
        change.apply(Resized(settled.order_qty), at=now, detail={"sizing": settled.sizing})
        change.set(sizing=settled.sizing)
    elif turn.qty != change.order.order_qty:
        change.apply(Resized(turn.qty), at=now)


def _waiting_cancel(order: Order) -> OrderRequest | None:
    """Return the cancel that waits for an order whose earlier sending has turned out to be none; lock its row."""
    if order.attempt == 0:
        return None  # one that comes before the first sending ends the order at once
    cancels = OrderRequest.objects.select_for_update().filter(order=order, kind=OrderRequest.Kind.CANCEL)
    return cancels.filter(status=OrderRequest.Status.RECORDED, answered_at=None).order_by("id").first()


def cancel_unsent(order: Order, cancel: OrderRequest, origin: Origin) -> Applied:
    """Carry out a cancel by never sending the order; both rows are locked."""
    _deny(order, "CANCELED_BEFORE_SENDING", "Canceled before it was sent.", origin)
    cancel.status, cancel.answered_at = OrderRequest.Status.ACCEPTED, timezone.now()
    cancel.save(update_fields=["status", "answered_at"])
    return Applied(order, changed=True, missing_fills=False, answered=(cancel.id,))


def command_of(order: Order) -> NewOrder:
    """Return the command that places this order, of an OCO both; the same for every attempt."""
    stop = stop_sent_with(order)
    return NewOrder(
        cl_ord_id=order.cl_ord_id,
        symbol=order.symbol,
        side=Side(order.side),
        ord_type=OrdType(order.ord_type),
        time_in_force=TimeInForce(order.time_in_force),
        order_qty=order.order_qty,
        price=order.price,
        stop_px=order.stop_px,
        reduce_only=order.position_effect == PositionEffect.CLOSE,
        trail_offset=order.trail_offset,
        trail_percent=order.trail_percent,
        oco_stop_px=None if stop is None else stop.stop_px,
    )


@retried
def undo_submission(
    order_id: uuid.UUID,
    attempt: int,
    why: str,
    *,
    eligible_at: dt.datetime | None,
    fence: Fence,
    told: Mapping[str, str] | None = None,
) -> bool:
    """Take back a sending that provably did not happen; return False where another attempt has begun since.

    ``told`` are the columns that say to the trader what it waits for.
    It needs no lease: it only states a fact, and whoever sends again proves a lease of its own.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.SUBMITTED or order.attempt != attempt:
            return False
        change_order(
            order,
            NotSentEvent(why[:200]),
            at=timezone.now(),
            origin=Origin("worker", fence),
            columns={"eligible_at": eligible_at, **(told or {})},
        )
        failpoint("undo.before_commit")
    failpoint("undo.after_commit")
    return True


@retried
def meet_closed_market(sending: Sending, error: MarketClosed, *, fence: Fence) -> Applied | None:
    """Take back a sending that the broker has not taken because its market is closed, and say when that opens.

    An entry that does not wait for the opening is denied and returned. Nothing where another attempt has begun since.
    """
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        if order.ord_status != OrdStatus.SUBMITTED or order.attempt != sending.attempt:
            return None
        origin = Origin("worker", fence)
        change_order(order, NotSentEvent(str(error)[:200]), at=now, origin=origin)
        closed = closed_at_broker(order, error, now)
        applied = _hold_back(order, closed, until=_eligible_at(sending, error), origin=origin)
        failpoint("undo.before_commit")
    failpoint("undo.after_commit")
    return applied


@retried
def refuse_submission(sending: Sending, error: OrderRejected, *, fence: Fence, sent_at: dt.datetime) -> Order:
    """Record the broker's proven refusal of this attempt; nothing where another attempt has begun since."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        if order.ord_status != OrdStatus.SUBMITTED or order.attempt != sending.attempt:
            return order  # whoever is at it now knows more
        change = Change(order, Origin("response", fence, {"sent": sent_at, "acknowledged": now}))
        change.apply(Rejected(error.reason[:200]), at=now)
        change.set(
            **refusal_columns(order, error.code, error.reason), transact_time=order.transact_time or now
        )
        # An earlier attempt may still be on its way, so the broker is asked a few times more.
        change.save(keep_following=sending.attempt > 1)
        failpoint("report.before_commit")
    failpoint("report.after_commit")
    return order


@retried
def leave_unknown(sending: Sending, why: str, *, fence: Fence, sent_at: dt.datetime) -> None:
    """Record that nobody knows what became of the sending; the look-up is due at once."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(sending.order_id)
        if order.ord_status != OrdStatus.SUBMITTED:
            return  # the stream has settled it meanwhile
        order.next_check_at = now
        order.save(update_fields=["next_check_at"])
        write_event(
            order,
            kind="OutcomeUnknown",
            at=now,
            origin=Origin("response", fence, {"sent": sent_at}),
            data={"why": why[:200]},
        )
    failpoint("unknown.after_commit")


@retried
def postpone_order(order_id: uuid.UUID, why: str, *, seconds: float, fence: Fence) -> None:
    """Put off an order that cannot be sent because its account cannot be opened, and tell the operators."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.INITIALIZED:
            return
        if is_too_old(order, now):
            _deny(order, "TOO_OLD", why[:500], Origin("worker", fence))
            return
        order.eligible_at = now + dt.timedelta(seconds=seconds)
        order.save(update_fields=["eligible_at"])
        write_event(order, kind="Postponed", at=now, origin=Origin("worker", fence), data={"why": why[:200]})
        open_item(AttentionItem.Kind.CREDENTIALS_REFUSED, order=order, detail=why)
    failpoint("postpone.after_commit")


@retried
def put_off_sizing(order_id: uuid.UUID, why: str, *, seconds: float, fence: Fence) -> None:
    """Put off an order that cannot be sized for now; an entry that waits for too long is denied as any other."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.INITIALIZED:
            return
        change = Change(order, Origin("worker", fence))
        change.set(eligible_at=now + dt.timedelta(seconds=seconds), text=f"Not sized yet: {why}"[:500])
        change.note("NotSizedYet", at=now, data={"why": why[:200]})
        change.save()
    failpoint("unsized.after_commit")


@retried
def deny_order(order_id: uuid.UUID, *, reason: str, text: str, source: str) -> bool:
    """Refuse an order that is recorded and not sent; return False where it is past that."""
    with transaction.atomic():
        order = lock_order(order_id)
        if order.ord_status != OrdStatus.INITIALIZED:
            return False
        _deny(order, reason, text, Origin(source))
        failpoint("deny.before_commit")
    failpoint("deny.after_commit")
    return True


def _deny(order: Order, reason: str, text: str, origin: Origin) -> None:
    change = Change(order, origin)
    change.apply(Denied(reason), at=timezone.now())
    change.set(reason=reason, text=text)
    # After an attempt the broker is asked a few times more, in case the proof that nothing was sent was none.
    change.save(keep_following=order.attempt > 0)


def _hold_back(order: Order, closed: Closed, *, until: dt.datetime | None, origin: Origin) -> Applied | None:
    """Have the order wait, or deny it; return it where it was denied."""
    change = Change(order, origin)
    hold_back(change, closed, until=until, at=timezone.now())
    change.save(keep_following=order.attempt > 0)
    return Applied(order, changed=True, missing_fills=False) if order.ended else None


def is_too_old(order: Order, now: dt.datetime) -> bool:
    """Say whether an entry waited so long that it is not what the trader wants any more; an exit always is."""
    return not is_reversing(order) and _has_aged(order, now)


def _has_aged(order: Order, now: dt.datetime) -> bool:
    young = now - order.received_at <= dt.timedelta(seconds=settings.ENTRY_MAX_AGE_SECONDS)
    if young or order.position_effect == PositionEffect.CLOSE:
        return False
    return not queues_for_open(order)


def backoff_seconds(attempt: int) -> float:
    """Return how long to wait after so many attempts: 1, 2, 4, 8, 16, then 30 s."""
    return min(2.0 ** min(attempt - 1, 5), MAX_BACKOFF_SECONDS)


def _eligible_at(sending: Sending, error: NotSent) -> dt.datetime:
    wait = max(error.retry_after_seconds, backoff_seconds(sending.attempt))
    soonest = timezone.now() + dt.timedelta(seconds=wait)
    if isinstance(error, MarketClosed) and error.next_open is not None:
        return max(error.next_open, soonest)  # by the broker's clock, and by ours it may have passed
    return soonest


def _report_credentials(sending: Sending, error: CredentialsRefused) -> None:
    open_item(
        AttentionItem.Kind.CREDENTIALS_REFUSED,
        order=Order.objects.get(pk=sending.order_id),
        detail=str(error),
    )
