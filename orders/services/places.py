"""Read a place, an account's symbol: what it holds, and its orders that are not finished."""

import uuid
from decimal import Decimal
from typing import Any

from django.db import connection

from brokers.types import OrdType, PositionEffect, Side
from orders.models import Order
from orders.turns import Neighbor

# FOR SHARE: a fill is booked under the position's lock, so what this and the next statement read fits together.
HELD = "SELECT qty FROM orders_position WHERE account_id = %s AND symbol = %s FOR SHARE"

# A replace that is open may yet raise what an order closes. What was refused is followed only in case that was not
# true, and stands in nobody's way.
NEIGHBORS = """
SELECT one.id, one.side, one.position_effect, one.ord_type, one.leg <> '', one.ord_status <> 'INITIALIZED',
       one.ord_status IN ('NEW', 'PARTIALLY_FILLED'), one.ended,
       one.ord_status = 'PENDING_CANCEL' OR EXISTS (
           SELECT FROM orders_orderrequest AS request
           WHERE request.order_id = one.id AND request.kind = 'CANCEL' AND request.answered_at IS NULL),
       (one.recorded_at, one.id) < (%(recorded_at)s, %(id)s),
       greatest(one.order_qty, (
           SELECT max(request.order_qty) FROM orders_orderrequest AS request
           WHERE request.order_id = one.id AND request.kind = 'REPLACE' AND request.answered_at IS NULL)) - one.cum_qty
FROM orders_order AS one
WHERE one.user_id = %(user)s AND one.next_check_at IS NOT NULL
  AND one.account_id = %(account)s AND one.symbol = %(symbol)s AND one.id <> %(id)s
  AND one.ord_status NOT IN ('DENIED', 'REJECTED')
ORDER BY one.id
"""


def held_at(account_id: uuid.UUID, symbol: str) -> Decimal:
    """Return the signed position; within a transaction it stays like this to the end."""
    with connection.cursor() as cursor:
        cursor.execute(HELD, [account_id, symbol])
        row = cursor.fetchone()
    return Decimal(0) if row is None else row[0]


def neighbors_of(order: Order) -> list[Neighbor]:
    """Return the other orders of this order's place that are not finished, oldest first."""
    values: dict[str, Any] = {
        "user": order.user_id,
        "account": order.account_id,
        "symbol": order.symbol,
        "id": order.id,
        "recorded_at": order.recorded_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(NEIGHBORS, values)
        neighbors = [_neighbor(row) for row in cursor.fetchall()]
    # What is filled awaits at most the answer to a cancel.
    return [one for one in neighbors if one.left or _is_unsized(one)]


def _is_unsized(one: Neighbor) -> bool:
    """Say whether this is an entry that is sized when it is sent: nothing else unsent has nothing left."""
    return one.effect is PositionEffect.OPEN and not one.is_sent


def _neighbor(row: tuple[object, ...]) -> Neighbor:
    order_id, side, effect, ord_type, is_leg, is_sent, is_working, has_ended, is_leaving, is_before, left = (
        row
    )
    return Neighbor(
        id=uuid.UUID(str(order_id)),
        side=Side(str(side)),
        effect=PositionEffect(str(effect)),
        ord_type=OrdType(str(ord_type)),
        is_leg=bool(is_leg),
        is_sent=bool(is_sent),
        is_working=bool(is_working),
        has_ended=bool(has_ended),
        is_leaving=bool(is_leaving),
        is_before=bool(is_before),
        left=max(Decimal(str(left)), Decimal(0)),
    )
