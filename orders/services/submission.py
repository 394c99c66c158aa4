"""Send an order, once: transaction 1, the broker call, transaction 2.

| what the broker call does | what it means | what becomes of the order |
|---|---|---|
| returns a report | the broker has it | the report is applied |
| ``OrderRejected`` | proven refusal | ``REJECTED`` |
| ``NotSent``, ``LeaseLost`` | proven not sent | back to ``INITIALIZED``, sent again when due |
| ``OutcomeUnknown`` | nobody knows | stays ``SUBMITTED``: looked up, never sent again blindly |

What is decided before is here; what an answer that is no report does to the order, in ``submission_answers``.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import CredentialsRefused, MarketClosed, NotSent, OrderRejected, OutcomeUnknown
from brokers.types import BeforeSend, ExecutionReport, OrdStatus, PositionEffect
from failpoints import failpoint
from orders.intake.sizing import SizingError
from orders.models import Order, OrderRequest
from orders.services.changes import Change, Origin
from orders.services.closed_markets import closed_market
from orders.services.commands import Sending, command_of
from orders.services.drift import DRIFT_HALT, DRIFT_TEXT
from orders.services.executions import Applied, apply_execution_reports
from orders.services.instruments import UNSUPPORTED_MULTIPLIER, multiplier_words
from orders.services.leases import Fence, LeaseLost, hold_lease
from orders.services.legs import still_closes
from orders.services.refusals import waiting_columns
from orders.services.repeating import repeats_too_late
from orders.services.retrying import retried
from orders.services.sizing import settle_entry
from orders.services.sizing_facts import SizingFacts
from orders.services.submission_answers import (
    eligible_after,
    leave_unknown,
    meet_closed_market,
    refuse_submission,
    report_credentials,
    undo_submission,
)
from orders.services.turns import is_reversing, lock_for_sending, put_off, turn_of
from orders.services.unsent import cancel_unsent, deny, has_aged, hold_back_order, is_too_old
from orders.state import Resized, Submitted
from orders.turns import Clear, NothingToClose, Turn

NOTHING_TO_CLOSE = "NOTHING_TO_CLOSE"


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
        due = eligible_after(sending, error)
        told = waiting_columns(error, due)
        undo_submission(order_id, sending.attempt, str(error), eligible_at=due, fence=fence, told=told)
        if isinstance(error, CredentialsRefused):
            report_credentials(sending, error)
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
            return hold_back_order(order, closed, until=closed.opens_at, origin=Origin("worker", fence))
        denial = _denial(order, now)
        if denial is not None:
            deny(order, *denial, Origin("worker", fence))
            return Applied(order, changed=True, missing_fills=False)
        if cancel is not None:
            return cancel_unsent(order, cancel, Origin("worker", fence))
        turn = turn or turn_of(order)
        if not isinstance(turn, Clear) or has_aged(order, now):
            return _not_now(order, turn, now, fence)
        change = Change(order, Origin("worker", fence, {"dequeued": dequeued_at}))
        try:
            _settle_quantity(change, turn, facts, now)
        except SizingError as error:
            deny(order, error.code, f"Not sized: {error.message}.", Origin("worker", fence))
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
    if order.position_effect == PositionEffect.OPEN and order.has_multiplier:  # type: ignore[attr-defined]
        return UNSUPPORTED_MULTIPLIER, f"Not sent: {multiplier_words(order.symbol)}."
    return None


def _not_now(order: Order, turn: Turn, now: dt.datetime, fence: Fence) -> Applied | None:
    """Put off an order whose way is not clear; deny an exit that finds nothing to close, and return it.

    So is an entry whose way is clear now, after a reversal that has taken too long.
    """
    if isinstance(turn, Clear):
        deny(
            order, "TOO_OLD", "The opposite position is closed, which took too long.", Origin("worker", fence)
        )
        return Applied(order, changed=True, missing_fills=False)
    if isinstance(turn, NothingToClose):
        deny(order, NOTHING_TO_CLOSE, "There is nothing left to close.", Origin("worker", fence))
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
