"""Protective exits on their way: the two orders of an OCO, of which the broker gets one command.

The target's row is sent and carries the stop's price; the stop's row is not sent by itself. The broker makes the stop
under ids of its own, which its answer tells, or a look at the target with its legs.
"""

import uuid
from collections.abc import Callable, Sequence

from django.utils import timezone

from brokers.types import ExecType, ExecutionReport, Side
from orders.models import Leg, Order, Position
from orders.services.changes import Change, Origin, lock_sent_with
from orders.state import Restated

Take = Callable[[Change, ExecutionReport], None]


def stop_sent_with(order: Order) -> Order | None:
    """Return the stop that goes with this order in one command; None where it goes alone."""
    if order.leg != Leg.TAKE_PROFIT:
        return None
    return Order.objects.filter(sent_with=order.id, ended=False).first()


def take_legs(main: Order, reports: Sequence[ExecutionReport], origin: Origin, take: Take) -> bool:
    """Take in what the broker tells of an OCO's stop with its other order; return whether its place is to be tended.

    The first telling gives the stop the id under which the broker works it. In the caller's transaction.
    """
    told = [report.legs[-1] for report in reports if report.legs]
    stop = lock_sent_with(main) if told and main.leg == Leg.TAKE_PROFIT else None
    if stop is None:
        return False
    change = Change(stop, origin)
    for leg in told:
        if not stop.broker_order_id:
            change.set(working_cl_ord_id=leg.cl_ord_id, broker_order_id=leg.broker_order_id)
        if leg.cl_ord_id == stop.working_cl_ord_id:
            take(change, leg)
    change.save()
    return change.tends


def take_cut(change: Change, report: ExecutionReport) -> None:
    """Take in that the broker has cut an OCO's stop down to what its target has left, whether or not it was told."""
    order = change.order
    if order.sent_with_id is None or report.exec_type is ExecType.RESTATED:
        return
    if 0 < report.order_qty < change.state.order_qty:
        change.apply(Restated(report.order_qty, None), at=report.transact_time)


def is_of_unnamed_leg(account_id: uuid.UUID, report: ExecutionReport) -> bool:
    """Say whether a report of an unknown order may be of a stop whose id the broker's answer is still to tell.

    The stream may be faster than that answer. The stop is looked for at once, and what was missed comes with it.
    """
    unnamed = Order.objects.filter(
        account=account_id,
        symbol=report.symbol,
        side=report.side,
        sent_with__isnull=False,
        broker_order_id="",
        ended=False,
    )
    return unnamed.update(next_check_at=timezone.now()) > 0


def still_closes(order: Order) -> bool:
    """Say whether there is still a position that this exit closes."""
    held = Position.objects.filter(account=order.account_id, symbol=order.symbol).values_list(
        "qty", flat=True
    )
    qty = held.first() or 0
    return qty > 0 if order.side == Side.SELL else qty < 0
