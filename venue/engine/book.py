"""The resting orders of each symbol, ordered by the price that wakes them.

Four sorted lists for a symbol; whatever a new quote reaches is a prefix of its list, so a move of the market
costs only the orders that it wakes. Trailing stops rest among the stops and move along with their marks.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from uuid import UUID

from venue.engine.trailing import ratchet
from venue.models import Order, Quote


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    key: Decimal
    number: int
    order_id: UUID = field(compare=False)
    account_id: UUID = field(compare=False)


@dataclass(frozen=True, slots=True)
class OrderRef:
    """Enough to find an order and the account that has to be locked for it."""

    order_id: UUID
    account_id: UUID


def waits_as(order: Order) -> str:
    """Name the list that an order rests in: buy or sell, limit or stop."""
    is_stop = order.stop_price is not None and not order.triggered
    return f"{order.side}_{'stop' if is_stop else 'limit'}"


def wake_key(order: Order) -> Decimal:
    """Return the order's price in its list, signed so that the first to wake sorts first."""
    name = waits_as(order)
    price = order.stop_price if name.endswith("stop") else order.limit_price
    if price is None:
        raise ValueError(f"a {order.type} order does not rest")
    return -price if name in ("buy_limit", "sell_stop") else price


def reach(name: str, quote: Quote) -> Decimal:
    """Return the largest key that a quote wakes in a list."""
    return {
        "buy_limit": -quote.ask,
        "sell_limit": quote.bid,
        "buy_stop": quote.last,
        "sell_stop": -quote.last,
    }[name]


def is_reached(order: Order, quote: Quote) -> bool:
    """Tell whether a quote wakes an order."""
    return wake_key(order) <= reach(waits_as(order), quote)


class Book:
    """The index of what rests."""

    def __init__(self) -> None:
        self._lists: dict[str, dict[str, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
        self._where: dict[UUID, tuple[str, str, _Entry]] = {}
        self._trailing: dict[str, dict[UUID, Order]] = defaultdict(dict)
        self._numbers = count()

    def __contains__(self, order_id: UUID) -> bool:
        return order_id in self._where

    def __len__(self) -> int:
        return len(self._where)

    def symbols(self) -> list[str]:
        """List the symbols in which something rests."""
        return [symbol for symbol, lists in self._lists.items() if any(lists.values())]

    def add(self, order: Order) -> None:
        """Rest an order; adding it again moves it to its present price."""
        self.remove(order.id)
        entry = _Entry(wake_key(order), next(self._numbers), order.id, order.account_id)
        name = waits_as(order)
        insort(self._lists[order.symbol][name], entry)
        self._where[order.id] = (order.symbol, name, entry)
        if order.type == "trailing_stop" and not order.triggered:
            self._trailing[order.symbol][order.id] = order

    def remove(self, order_id: UUID) -> None:
        """Take an order out of the lists; it need not be there."""
        place = self._where.pop(order_id, None)
        if place is None:
            return
        symbol, name, entry = place
        entries = self._lists[symbol][name]
        del entries[bisect_right(entries, entry) - 1]

    def forget(self, order: Order) -> None:
        """Take out an order that is over, and its mark."""
        self.remove(order.id)
        self._trailing[order.symbol].pop(order.id, None)

    def trailing(self, symbol: str, order_id: UUID) -> Order | None:
        """Return a trailing stop with its mark, which may be fresher than the stored one."""
        return self._trailing[symbol].get(order_id)

    def ratchet(self, symbol: str, quote: Quote) -> list[Order]:
        """Move the marks and stops that a quote improves, and return those orders."""
        moved = [after for order in self._trailing[symbol].values() if (after := ratchet(order, quote))]
        for order in moved:
            self.add(order)
        return moved

    def take_reached(self, symbol: str, quote: Quote) -> list[OrderRef]:
        """Remove and return the orders that a quote wakes, best price and oldest first."""
        taken: list[OrderRef] = []
        for name, entries in self._lists[symbol].items():
            limit = reach(name, quote)
            size = bisect_right(entries, limit, key=lambda entry: entry.key)
            for entry in entries[:size]:
                del self._where[entry.order_id]
                taken.append(OrderRef(entry.order_id, entry.account_id))
            del entries[:size]
        return taken
