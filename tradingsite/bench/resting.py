"""Fills of resting orders: from the exchange's ledger to the order's row, at a steady pace over several traders."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from brokers.models import BrokerAccount
from brokers.paper.ledger import read_ledger
from orders.models import Order
from orders.services.provisioning import NewTrader
from tradingsite.bench.load import UnexpectedAnswer
from tradingsite.bench.numbers import summary
from tradingsite.desk_client import DeskClient

FILLS_PER_SECOND = 20.0
FAR, REST, MEET = "100", "50", "49"
"""Where a symbol stands at first, what is bid for it, and where it goes then."""
LOOK_SECONDS = 0.005
WAIT_SECONDS = 30.0

_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_numbers = count()
_FILLED = "SELECT id FROM orders_order WHERE id = ANY(%s) AND ord_status = 'FILLED'"


@dataclass(frozen=True, slots=True)
class Resting:
    """One order in a symbol that is nobody else's."""

    order_id: uuid.UUID
    symbol: str


def measure_resting(traders: Sequence[NewTrader], orders_each: int, url: str) -> dict[str, Any]:
    """Let orders of all traders rest, then meet their prices one after the other, twenty a second.

    The time of a fill is from the moment in the exchange's ledger until another connection sees the order's row
    filled, looked for every 5 ms; so the exchange's own commit and its stream are in it. Milliseconds. Returns {}
    where the exchange takes no orders about prices (``VENUE_CONTROL``). Raises ``UnexpectedAnswer``, ``OSError``.
    """
    exchange = _Exchange()
    if not exchange.moves_prices():
        return {}
    placed = [_place(trader, exchange, url) for _ in range(orders_each) for trader in traders]
    _wait_working([one.order_id for one in placed])
    stop = Event()
    with ThreadPoolExecutor(1) as threads:
        seen = threads.submit(_watch, [one.order_id for one in placed], stop)
        try:
            seconds = _meet(placed, exchange)
        finally:
            stop.set()
        at_row = seen.result()
    exchange.close()
    at_venue = _fill_times([one.order_id for one in placed])
    times = [(at_row[one] - at).total_seconds() * 1000 for one, at in at_venue.items() if one in at_row]
    return {
        "orders": len(placed),
        "filled": len(times),
        "traders": len(traders),
        "fills_per_second": round((len(placed) - 1) / seconds, 1),
        "ms": summary(times),
    }


class _Exchange:
    """The exchange's control endpoint, over one connection."""

    def __init__(self) -> None:
        parts = urlsplit(settings.VENUE_URL)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)

    def moves_prices(self) -> bool:
        return self._request("GET", "/control/faults", None) == 200

    def set_price(self, symbol: str, price: str) -> None:
        status = self._request("POST", "/control/prices", {"symbol": symbol, "price": price})
        if status != 200:
            raise UnexpectedAnswer(f"the exchange answers HTTP {status} to a price")

    def close(self) -> None:
        self._connection.close()

    def _request(self, method: str, path: str, body: dict[str, str] | None) -> int:
        headers = {
            "Authorization": f"Bearer {settings.VENUE_ADMIN_TOKEN}",
            "Content-Type": "application/json",
        }
        self._connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def _place(trader: NewTrader, exchange: _Exchange, url: str) -> Resting:
    symbol = _symbol(next(_numbers))
    exchange.set_price(symbol, FAR)
    body = {"symbol": symbol, "side": "buy", "quantity": "1", "type": "limit", "price": REST}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {trader.api_key}"}
    client = DeskClient(url, settings.BASE_URL)
    answer = client.request("POST", "/api/v1/orders", json.dumps(body).encode(), headers)
    client.close()
    if answer.status not in (201, 202):
        raise UnexpectedAnswer(f"HTTP {answer.status}: {answer.raw[:300].decode(errors='replace')}")
    return Resting(uuid.UUID(answer.body["id"]), symbol)


def _symbol(number: int) -> str:
    """Return a symbol of five letters that no company has and no other measurement uses."""
    letters = [_letters[number // 26**place % 26] for place in (2, 1, 0)]
    return f"ZZ{''.join(letters)}"


def _wait_working(order_ids: Sequence[uuid.UUID]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while Order.objects.filter(id__in=order_ids).exclude(ord_status="NEW").exists():
        if time.monotonic() > end:
            raise UnexpectedAnswer("the orders to be filled do not all rest")
        time.sleep(0.1)


def _meet(placed: Sequence[Resting], exchange: _Exchange) -> float:
    """Meet one order's price after the other at the pace; return how long that took, with a rest for the last."""
    began = time.monotonic()
    for number, one in enumerate(placed):
        time.sleep(max(0.0, began + number / FILLS_PER_SECOND - time.monotonic()))
        exchange.set_price(one.symbol, MEET)
    seconds = time.monotonic() - began
    _wait_filled([one.order_id for one in placed])
    return seconds


def _wait_filled(order_ids: Sequence[uuid.UUID]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while Order.objects.filter(id__in=order_ids).exclude(ord_status="FILLED").exists():
        if time.monotonic() > end:
            return
        time.sleep(0.1)
    time.sleep(LOOK_SECONDS * 4)


def _watch(order_ids: Iterable[uuid.UUID], stop: Event) -> dict[uuid.UUID, datetime]:
    """Look for filled rows again and again; return when each was there at the latest."""
    seen: dict[uuid.UUID, datetime] = {}
    waiting = set(order_ids)
    try:
        while waiting and not stop.wait(LOOK_SECONDS):
            with connection.cursor() as cursor:
                cursor.execute(_FILLED, [list(waiting)])
                found = {row[0] for row in cursor.fetchall()}
            now = datetime.now(UTC)
            seen |= dict.fromkeys(found, now)
            waiting -= found
    finally:
        connection.close()
    return seen


def _fill_times(order_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """Return when the exchange's ledger has each order filled."""
    ours = {order.cl_ord_id: order.id for order in Order.objects.filter(id__in=order_ids)}
    accounts = BrokerAccount.objects.filter(orders__in=order_ids).distinct()
    ledger = read_ledger(settings.VENUE_DATABASE_URL, accounts.values_list("external_id", flat=True))
    return {
        ours[order.client_order_id]: order.fills[-1].at
        for order in ledger.orders
        if order.client_order_id in ours and order.fills
    }
