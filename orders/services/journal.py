"""The trade journal: a row per round trip, begun with the order that is to open it.

Changed only while the position's row is locked, but for what concerns trades that no fill has opened yet.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection

from brokers.ids import new_id
from brokers.types import PositionEffect, Side
from orders.models import ExitReason, Order, Position, Source, Trade, TradeOrder
from orders.positions import Books, Leg, RoundTrip, TripSide
from orders.rows import columns_of, fetch_rows, insert_rows, update_row

# One round trip on every recording's way, which also tells of a halt. Nothing is begun where the entry adds to a
# position, else it joins the trade that waits for its first fill already, else a new one.
RECORD_ENTRY = """
WITH held AS (
    SELECT FROM orders_position
    WHERE account_id = %(account)s AND symbol = %(symbol)s AND (CASE %(side)s WHEN 'LONG' THEN qty ELSE -qty END) > 0
), waiting AS (
    SELECT id FROM orders_trade
    WHERE account_id = %(account)s AND symbol = %(symbol)s AND side = %(side)s AND status = 'ORDERED'
    ORDER BY id LIMIT 1
), begun AS (
    INSERT INTO orders_trade (id, user_id, account_id, strategy_id, source, simulation, symbol, side, status,
        entry_qty, entry_amount, exit_qty, exit_amount, realized_pnl, fees, exit_reason, opened_by, ordered_at)
    SELECT %(id)s, %(user)s, %(account)s, %(strategy)s, %(source)s, %(simulation)s, %(symbol)s, %(side)s, 'ORDERED',
        0, 0, 0, 0, 0, 0, '', '', %(at)s
    WHERE NOT EXISTS (SELECT FROM held) AND NOT EXISTS (SELECT FROM waiting)
    RETURNING id
), joined AS (
    INSERT INTO orders_tradeorder (trade_id, order_id, role, qty)
    SELECT id, %(order)s, 'ENTRY', 0 FROM (SELECT id FROM waiting UNION ALL SELECT id FROM begun) AS trade
    WHERE NOT EXISTS (SELECT FROM held)
)
SELECT EXISTS (SELECT FROM orders_accounthalt WHERE account_id = %(account)s AND lifted_at IS NULL)
"""

# A trade that no fill has opened is over with the last of its entries. (Its row may say ORDERED although the order
# was filled: another order's fill opened the position first, and this one added to it.)
CANCEL_UNOPENED = """
UPDATE orders_trade AS trade SET status = 'CANCELED', closed_at = now()
WHERE trade.status = 'ORDERED'
  AND trade.id IN (SELECT trade_id FROM orders_tradeorder WHERE order_id = %(order)s AND role = 'ENTRY')
  AND NOT EXISTS (
    SELECT FROM orders_tradeorder AS leg JOIN orders_order AS entry ON entry.id = leg.order_id
    WHERE leg.trade_id = trade.id AND NOT entry.ended)
"""

TRIP_COLUMNS = (
    "side",
    "status",
    "entry_qty",
    "entry_amount",
    "exit_qty",
    "exit_amount",
    "realized_pnl",
    "fees",
    "opened_at",
    "opened_by",
    "closed_at",
    "exit_reason",
)
"""What a trade's row says of its round trip."""
OPEN_TRADE = (
    f"SELECT {columns_of(Trade)} FROM orders_trade"  # noqa: S608 - names of our own columns
    " WHERE account_id = %s AND symbol = %s AND status = 'POSITION'"
)

ADD_LEG = """
INSERT INTO orders_tradeorder (trade_id, order_id, role, qty) VALUES (%s, %s, %s, %s)
ON CONFLICT (trade_id, order_id, role) DO UPDATE SET qty = orders_tradeorder.qty + excluded.qty
"""


def record_entry(order: Order) -> bool:
    """Begin a trade with a recorded entry; where it adds to a position or to a trade begun before, join that.

    Returns whether the account's entries are halted, which costs no round trip of its own.
    """
    values: dict[str, Any] = {
        "id": new_id(),
        "order": order.id,
        "user": order.user_id,
        "account": order.account_id,
        "strategy": order.strategy_id,
        "source": order.source,
        "simulation": order.simulation,
        "symbol": order.symbol,
        "side": _side_opened_by(order),
        "at": order.recorded_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECORD_ENTRY, values)
        return bool(cursor.fetchone()[0])


def cancel_unopened(order: Order) -> None:
    """Cancel the trade that this entry was to open and has not, when it was the last that could."""
    with connection.cursor() as cursor:
        cursor.execute(CANCEL_UNOPENED, {"order": order.id})


def open_trade_of(position: Position) -> Trade | None:
    """Return the trade under way; None for a flat position."""
    if not position.qty:
        return None
    for trade in fetch_rows(Trade, OPEN_TRADE, [position.account_id, position.symbol]):
        return trade
    raise Trade.DoesNotExist(f"no open trade of {position.symbol}")


def trip_of(trade: Trade) -> RoundTrip:
    """Return a trade as a round trip without its legs, to go on with."""
    if trade.opened_at is None:
        raise ValueError(f"trade {trade.id} is not open")
    return RoundTrip(
        side=TripSide(trade.side),
        opened_at=trade.opened_at,
        closed_at=trade.closed_at,
        entry_qty=trade.entry_qty,
        entry_amount=trade.entry_amount,
        exit_qty=trade.exit_qty,
        exit_amount=trade.exit_amount,
        realized_pnl=trade.realized_pnl,
        fees=trade.fees,
    )


def write_trips(order: Order, trade: Trade | None, books: Books) -> None:
    """Write what an order's fills have done: to the trade that was open before them, if any, and to new ones."""
    trips = [*books.closed_trips, *([books.open_trip] if books.open_trip else [])]
    for trip in trips:
        row = trade if trade is not None else _row_for(trip, order)
        trade = None  # the next trip is another trade
        _write(row, trip, {order.id: order})
        for leg in trip.legs:
            _add_leg(row, leg)


def rewrite_trips(position: Position, books: Books) -> None:
    """Have the journal of a position's symbol say what its books say; what no trip stands for any more is canceled.

    A trip is known by its first fill, else by the order that this belongs to.
    """
    rows = Trade.objects.filter(account=position.account_id, symbol=position.symbol)
    opened = {row.opened_by: row for row in rows.filter(opened_at__isnull=False)}
    trips = [*books.closed_trips, *([books.open_trip] if books.open_trip else [])]
    order_ids = {leg.order_id for trip in trips for leg in trip.legs}
    orders = Order.objects.in_bulk(list(order_ids))
    kept = [opened.pop(trip.legs[0].exec_id, None) for trip in trips]
    for row in opened.values():
        _take_back(row)
    for trip, known in zip(trips, kept, strict=True):
        row = known or _row_for(trip, orders[trip.legs[0].order_id])
        _write(row, trip, orders)
        TradeOrder.objects.filter(trade=row).update(qty=0)
        for leg in trip.legs:
            _add_leg(row, leg)
        TradeOrder.objects.filter(trade=row, qty=0).delete()


def _row_for(trip: RoundTrip, order: Order) -> Trade:
    """Return the trade that this order was to open, else a new one: its own may be over, or it was an add."""
    begun = Trade.objects.filter(
        legs__order=order,
        legs__role=TradeOrder.Role.ENTRY,
        side=trip.side,
        status__in=[Trade.Status.ORDERED, Trade.Status.CANCELED],
    )
    return begun.order_by("id").first() or Trade(
        user_id=order.user_id,
        account_id=order.account_id,
        strategy_id=order.strategy_id,
        source=order.source,
        simulation=order.simulation,
        symbol=order.symbol,
        ordered_at=order.recorded_at,
    )


def _write(row: Trade, trip: RoundTrip, orders: Mapping[uuid.UUID, Order]) -> None:
    row.side = trip.side
    row.status = Trade.Status.POSITION if trip.closed_at is None else Trade.Status.CLOSED
    row.entry_qty, row.entry_amount = trip.entry_qty, trip.entry_amount
    row.exit_qty, row.exit_amount = trip.exit_qty, trip.exit_amount
    row.realized_pnl, row.fees = trip.realized_pnl, trip.fees
    row.opened_at, row.closed_at = trip.opened_at, trip.closed_at
    if not row.opened_by:
        row.opened_by = trip.legs[0].exec_id
    row.exit_reason = "" if trip.closed_at is None else _exit_reason(orders[trip.legs[-1].order_id])
    if row._state.adding:
        insert_rows([row])
    else:
        update_row(row, TRIP_COLUMNS)


def _take_back(row: Trade) -> None:
    """Leave a trade behind that never was: its fills were busted, or belong to another."""
    row.status = Trade.Status.CANCELED
    row.entry_qty = row.entry_amount = row.exit_qty = row.exit_amount = row.realized_pnl = row.fees = 0
    row.opened_at, row.opened_by, row.exit_reason, row.best_mark_px = None, "", "", None
    row.save()


def _add_leg(row: Trade, leg: Leg) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ADD_LEG, [row.id, leg.order_id, leg.role, leg.qty])


def _exit_reason(order: Order) -> str:
    if order.source == Source.EXTERNAL:
        return ExitReason.MANUAL_EXIT  # whatever it was meant to be: nobody here has asked for it
    return ExitReason.REVERSED if order.position_effect == PositionEffect.OPEN else order.exit_reason


def _side_opened_by(order: Order) -> str:
    return Trade.Side.LONG if order.side == Side.BUY else Trade.Side.SHORT
