"""What an order finds at its place when its turn comes: read within its transaction 1, and put off where it must wait.

An order that waits is looked at every ``REVERSAL_POLL_SECONDS``, and at once when what it waits for has ended.
"""

import datetime as dt
import uuid
from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from brokers.types import OrdStatus, PositionEffect, Side
from orders.models import Order
from orders.rows import fetch_rows
from orders.services.changes import ORDER_COLUMNS, Change
from orders.services.places import held_at, neighbors_of
from orders.services.quantities import supersedes
from orders.turns import Blocked, Clear, Exit, Turn, is_opposite, turn_of_exit

CLEARING_WAY = "CLEARING_WAY"
REVERSING = "REVERSING"
WAITS = (CLEARING_WAY, REVERSING)
"""Why a recorded order is not sent yet, by its ``reason``."""

WORDS = {
    CLEARING_WAY: "Other orders of this symbol have to end before it is sent.",
    REVERSING: "The opposite position is closed first.",
}

# Position, halt and multiplier come with the lock: the usual entry, beside no opposite position, is held up by no
# question.
LOCK_FOR_SENDING = f"""
SELECT {ORDER_COLUMNS}, (
    SELECT position.qty FROM orders_position AS position
    WHERE position.account_id = orders_order.account_id AND position.symbol = orders_order.symbol) AS held_qty,
    EXISTS (
    SELECT FROM orders_accounthalt AS halt
    WHERE halt.account_id = orders_order.account_id AND halt.lifted_at IS NULL) AS account_halted,
    EXISTS (
    SELECT FROM brokers_brokeraccount AS account
    JOIN brokers_instrument AS instrument ON instrument.broker = account.broker
    WHERE account.id = orders_order.account_id AND instrument.symbol = orders_order.symbol
      AND instrument.multiplier <> 1) AS has_multiplier
FROM orders_order WHERE id = %s FOR NO KEY UPDATE
"""  # noqa: S608 - names of our own columns


def lock_for_sending(order_id: uuid.UUID) -> Order:
    """Return the order with its row locked, in one statement with what its sending depends on.

    ``held_qty`` is the position of its place, ``account_halted`` says whether its account takes no new entries,
    ``has_multiplier`` whether one of its symbol stands for more than one unit, or less.
    Raises ``Order.DoesNotExist``.
    """
    for order in fetch_rows(Order, LOCK_FOR_SENDING, [order_id]):
        return order
    raise Order.DoesNotExist(f"no order {order_id}")


def turn_of(order: Order) -> Turn:
    """Say whether a recorded order that ``lock_for_sending`` gave may be sent now, and how much of it."""
    if order.leg:
        return Clear(order.order_qty)
    if order.position_effect == PositionEffect.OPEN:
        return _turn_of_entry(order)
    held = held_at(order.account_id, order.symbol)
    exit_ = Exit(
        side=Side(order.side),
        order_qty=order.order_qty,
        closes_whole=order.closes_whole,
        supersedes=order.closes_whole and supersedes(order.source, order.exit_reason),
        is_patient=order.checks < settings.REVERSAL_POLLS,
    )
    return turn_of_exit(exit_, held, neighbors_of(order))


def put_off(change: Change, at: dt.datetime) -> None:
    """Have a locked order wait for its next look, and say why."""
    order = change.order
    reason = REVERSING if order.position_effect == PositionEffect.OPEN else CLEARING_WAY
    if order.reason != reason:
        change.note("WayBlocked", at=at, data={"reason": reason})
    change.set(
        reason=reason,
        text=WORDS[reason],
        eligible_at=at + dt.timedelta(seconds=settings.REVERSAL_POLL_SECONDS),
        checks=order.checks + 1,
    )


def closing_order_of(entry: Order) -> Order | None:
    """Return the order by which the desk closes, or has closed, what this entry reverses."""
    return Order.objects.filter(pk=entry.exit_order_id).first() if entry.exit_order_id else None


def is_unfinished(order: Order) -> bool:
    """Say whether an order may still trade, or fills of it may still be told of."""
    refused = order.ord_status in (OrdStatus.DENIED, OrdStatus.REJECTED)
    return order.next_check_at is not None and not refused and order.cum_qty < order.order_qty


def is_reversing(entry: Order) -> bool:
    """Say whether the desk's closing order is still seen to: a reversal is ended by its own limit of time.

    Once that has ended the entry is sent, or grows too old as any other does.
    """
    return entry.auto_exit and entry.reason == REVERSING


def waiting_orders(account_id: uuid.UUID, symbol: str) -> Q:
    """Return the condition for orders of a place that wait for others of it to end."""
    return Q(
        account=account_id,
        symbol=symbol,
        ord_status=OrdStatus.INITIALIZED,
        next_check_at__isnull=False,
        reason__in=WAITS,
    )


def _turn_of_entry(order: Order) -> Turn:
    held: Decimal = order.held_qty or Decimal(0)  # type: ignore[attr-defined]  # a column that lock_for_sending adds
    if is_opposite(Side(order.side), held):
        return Blocked()
    if order.auto_exit:
        closing = closing_order_of(order)
        if closing is not None and is_unfinished(closing):
            return Blocked(awaits=(closing.id,))
    return Clear(order.order_qty)
