"""What may be sent to a broker, once: the commands about an order that transaction 1 has committed."""

import uuid
from dataclasses import dataclass

from brokers.types import CancelOrder, NewOrder, OrdType, PositionEffect, ReplaceOrder, Side, TimeInForce
from orders.models import Order
from orders.services.legs import stop_sent_with


@dataclass(frozen=True, slots=True)
class Sending:
    """Transaction 1 has committed: this command may be sent, once."""

    order_id: uuid.UUID
    account_id: uuid.UUID
    attempt: int
    command: NewOrder


@dataclass(frozen=True, slots=True)
class RequestSending:
    """Transaction 1 has committed: this command may be sent, once."""

    request_id: uuid.UUID
    order_id: uuid.UUID
    account_id: uuid.UUID
    attempt: int
    command: CancelOrder | ReplaceOrder


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
