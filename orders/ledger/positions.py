"""Make every position and its journal anew from the executions and compare: rows are projections here too."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from orders.models import Execution, Position, Trade
from orders.positions import Books, RoundTrip
from orders.services.positions import books_of, state_of_position


def position_differences() -> list[str]:
    """Return, for people, where a position or its trades are not what its executions make of them.

    Each symbol of an account is read with its position's row locked, so fills that come meanwhile are no matter.
    """
    places = Execution.objects.order_by("account", "symbol").values_list("account", "symbol").distinct()
    found = []
    for account_id, symbol in places:
        with transaction.atomic():
            rows = Position.objects.select_for_update(no_key=True).filter(account=account_id, symbol=symbol)
            position = rows.first()
            books = books_of(Execution.objects.filter(account=account_id, symbol=symbol))
            where = f"{symbol} in account {account_id}"
            found += [f"{where}: {why}" for why in _differences(position, books)]
    return found


def _differences(position: Position | None, books: Books) -> Iterator[str]:
    if position is None:
        yield "there is no position"
        return
    if state_of_position(position) != books.position:
        yield f"{position.qty:f} in the row, {books.position.qty:f} by its executions, or their cost or cash differ"
    trades = Trade.objects.filter(
        account=position.account_id, symbol=position.symbol, opened_at__isnull=False
    )
    here = sorted(_trade(trade) for trade in trades)
    there = sorted(_trip(trip) for trip in [*books.closed_trips, *filter(None, [books.open_trip])])
    if here != there:
        yield f"the journal has {len(here)} round trips, the executions make {len(there)}, or these differ"


def _trade(trade: Trade) -> list[str]:
    amounts = (
        trade.entry_qty,
        trade.entry_amount,
        trade.exit_qty,
        trade.exit_amount,
        trade.realized_pnl,
        trade.fees,
    )
    return [
        str(trade.opened_at),
        str(trade.closed_at),
        trade.side,
        *(f"{amount.normalize():f}" for amount in amounts),
    ]


def _trip(trip: RoundTrip) -> list[str]:
    amounts = (
        trip.entry_qty,
        trip.entry_amount,
        trip.exit_qty,
        trip.exit_amount,
        trip.realized_pnl,
        trip.fees,
    )
    return [
        str(trip.opened_at),
        str(trip.closed_at),
        str(trip.side),
        *(f"{one.normalize():f}" for one in amounts),
    ]
