"""Reverse a position: close it, wait for the fill, then enter on the other side.

The entry waits as ``INITIALIZED`` while the desk's closing order goes the way of every exit. At each of its looks:

| what the entry finds | what is done |
|---|---|
| an opposite position, no closing order | the broker's position is read; if it is ours, the closing order is recorded |
| the broker's position is another than ours | the entry is denied, and the account compared with the broker |
| the closing order is open | the broker is asked for its fill |
| it is open after ``REVERSAL_POLLS`` x ``REVERSAL_POLL_SECONDS`` | it is canceled, and its end awaited |
| it has ended, nothing opposite is left | the entry is sent, unless it has grown too old |
| it has ended, something is left | the entry is denied; what is left is protected again; the operators are told |

Source: the order execution lifecycle, Auto-Reversal.
"""

import datetime as dt
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import NotSent, OutcomeUnknown
from brokers.types import OrdStatus, OrdType, Side
from failpoints import failpoint
from orders.models import AttentionItem, Errand, ExitReason, Order, Source
from orders.services.attention import open_item
from orders.services.changes import Change, Origin, lock_order
from orders.services.desk_cancels import ask_after, cancel_orders
from orders.services.errands import write_errand
from orders.services.executions import Applied
from orders.services.leases import Fence, hold_lease
from orders.services.new_orders import ExitTerms, Provenance, write_order
from orders.services.places import held_at, neighbors_of
from orders.services.retrying import retried
from orders.services.turns import REVERSING, WORDS, closing_order_of, is_unfinished
from orders.state import Denied
from orders.turns import is_opposite

POSITION_DIFFERS = "POSITION_DIFFERS"
REVERSAL_TIMED_OUT = "REVERSAL_TIMED_OUT"
REVERSAL_REJECTED = "REVERSAL_REJECTED"
REVERSAL_FAILED = "REVERSAL_FAILED"

FEW_LOOKS = 3
"""So often the broker's position may be another than ours before that counts: a fill may be on its way to either."""


def advance_reversal(entry: Order, *, adapter: BrokerAdapter, fence: Fence) -> list[Applied]:
    """Take the next step of this entry's reversal. May be called at any time; raises ``LeaseLost``."""
    closing = closing_order_of(entry)
    if closing is None:
        return _begin(entry, adapter, fence)
    if is_unfinished(closing):
        return _follow(entry, closing, adapter, fence)
    return _conclude(entry, fence)


# --- begin ---


def _begin(entry: Order, adapter: BrokerAdapter, fence: Fence) -> list[Applied]:
    """Have the position closed, by what the broker says that it is."""
    at_market = (one for one in neighbors_of(entry) if one.is_exit and one.ord_type is OrdType.MARKET)
    others = [one.id for one in at_market if one.is_sent]
    if others:  # somebody closes it already, or some of it
        return ask_after(entry.account_id, others, adapter=adapter, fence=fence)
    try:
        held = _held_at_broker(entry, adapter)
    except (NotSent, OutcomeUnknown):
        return []  # the next look asks again, until the entry is too old
    return record_closing_order(entry, held, fence=fence)


def _held_at_broker(entry: Order, adapter: BrokerAdapter) -> Decimal:
    failpoint("reversal.position.before")
    held = [row.qty for row in adapter.list_positions() if row.symbol == entry.symbol]
    failpoint("reversal.position.after")
    return sum(held, Decimal(0))


@retried
def record_closing_order(entry: Order, held_at_broker: Decimal, *, fence: Fence) -> list[Applied]:
    """Record the order that closes what an entry reverses, where the broker holds what we hold; else see to that.

    Calling it twice records one closing order. Raises ``LeaseLost``.
    """
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(entry.id)
        hold_lease(fence)
        if order.ord_status != OrdStatus.INITIALIZED or closing_order_of(order) is not None:
            return []
        position = held_at(order.account_id, order.symbol)
        change = Change(order, Origin("worker", fence))
        if not is_opposite(Side(order.side), position):
            change.set(eligible_at=None)  # closed meanwhile: it may go
        elif position != held_at_broker:
            _meet_difference(change, position, held_at_broker, now)
        else:
            _write_closing_order(change, position, now)
        change.save()
        failpoint("reversal.begin.before_commit")
    failpoint("reversal.begin.after_commit")
    return [Applied(order, changed=True, missing_fills=False)]


def _write_closing_order(change: Change, position: Decimal, now: dt.datetime) -> None:
    entry = change.order
    closing = write_order(
        ExitTerms(symbol=entry.symbol, side=Side(entry.side)),
        entry.account,
        abs(position),
        Provenance(
            source=Source.DESK,
            received_at=now,
            strategy=entry.strategy,
            exit_reason=ExitReason.REVERSED,
            parent=entry,
            writer="worker",
        ),
        auto_exit=True,
        closes_whole=True,
    )
    change.set(
        auto_exit=True,
        exit_order_id=closing.id,
        exit_quantity=abs(position),
        position_before=position,
        reason=REVERSING,
        text=WORDS[REVERSING],
    )
    data = {"exit_order": str(closing.id), "position": f"{position:f}"}
    change.note("ReversalBegun", at=now, data=data)


def _meet_difference(change: Change, ours: Decimal, theirs: Decimal, now: dt.datetime) -> None:
    """Wait for what may be on its way; then deny the entry rather than guess, and have the account compared."""
    entry = change.order
    looks = settings.REVERSAL_POLLS if neighbors_of(entry) else min(FEW_LOOKS, settings.REVERSAL_POLLS)
    if entry.checks < looks:
        return
    said = f"the broker holds {theirs.normalize():f} {entry.symbol}, the desk {ours.normalize():f}"
    change.apply(Denied(POSITION_DIFFERS), at=now)
    change.set(reason=POSITION_DIFFERS, text=f"Not reversed: {said}.")
    detail = f"{said}: compare the account with its broker, then send the entry again if it is still wanted"
    open_item(AttentionItem.Kind.POSITION_DIFFERS, order=entry, detail=detail)
    write_errand(user_id=entry.user_id, account_id=entry.account_id, kind=Errand.Kind.RECONCILE)


# --- follow ---


def _follow(entry: Order, closing: Order, adapter: BrokerAdapter, fence: Fence) -> list[Applied]:
    """Ask for the closing order's fill; cancel it once its time is over, or once there is nothing left for it."""
    position = held_at(entry.account_id, entry.symbol)
    if not closing.ended and (_is_over(closing) or not is_opposite(Side(entry.side), position)):
        canceled = cancel_orders([closing.id], fence=fence)
        if canceled:
            return canceled
    return ask_after(entry.account_id, [closing.id], adapter=adapter, fence=fence)


def _is_over(closing: Order) -> bool:
    """Say whether the closing order has had its time: from its sending, or the age that an entry may reach."""
    limit = settings.REVERSAL_POLLS * settings.REVERSAL_POLL_SECONDS
    since = closing.submitted_at
    if closing.ord_status == OrdStatus.INITIALIZED or since is None:
        since, limit = closing.recorded_at, max(limit, float(settings.ENTRY_MAX_AGE_SECONDS))
    return timezone.now() - since >= dt.timedelta(seconds=limit)


# --- conclude ---


@retried
def _conclude(entry: Order, fence: Fence) -> list[Applied]:
    """The closing order has ended: let the entry go where nothing opposite is left, else give it up."""
    now = timezone.now()
    with transaction.atomic():
        order = lock_order(entry.id)
        hold_lease(fence)
        closing = closing_order_of(order)
        if order.ord_status != OrdStatus.INITIALIZED or closing is None or is_unfinished(closing):
            return []
        position = held_at(order.account_id, order.symbol)
        change = Change(order, Origin("worker", fence))
        if is_opposite(Side(order.side), position):
            _give_up(change, closing, position, now)
        else:
            change.set(eligible_at=None, reason="", text="")
        change.save()
        failpoint("reversal.end.before_commit")
    failpoint("reversal.end.after_commit")
    return [Applied(order, changed=True, missing_fills=False)]


def _give_up(change: Change, closing: Order, position: Decimal, now: dt.datetime) -> None:
    """Deny the entry, have what is left protected again, and tell the operators what to do."""
    entry = change.order
    reason, why = _what_went_wrong(closing)
    left = f"{position.normalize():f} {entry.symbol} are still held"
    closed = f"{closing.cum_qty.normalize():f} of {closing.order_qty.normalize():f} were closed"
    change.apply(Denied(reason), at=now)
    change.set(reason=reason, text=f"Not reversed: {why}. {closed.capitalize()}; {left}."[:500])
    detail = f"{why}; {closed}, {left}: close or keep them by hand, then send the entry again if it is wanted"
    open_item(AttentionItem.Kind.REVERSAL_ABORTED, order=entry, detail=detail)
    write_errand(
        user_id=entry.user_id,
        account_id=entry.account_id,
        kind=Errand.Kind.TEND_POSITION,
        symbol=entry.symbol,
    )


def _what_went_wrong(closing: Order) -> tuple[str, str]:
    if closing.ord_status == OrdStatus.REJECTED:
        words = closing.text.strip().rstrip(".") or "it gave no reason"
        return REVERSAL_REJECTED, f"the broker refused to close the position ({words})"
    if closing.requests.filter(kind="CANCEL", source=Source.DESK).exists():
        seconds = settings.REVERSAL_POLLS * settings.REVERSAL_POLL_SECONDS
        return REVERSAL_TIMED_OUT, f"the position was not closed within {seconds:g} s"
    return REVERSAL_FAILED, f"the order that was to close the position ended {closing.ord_status}"
