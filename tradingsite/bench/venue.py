"""The exchange alone: what an order costs there without the desk."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from brokers.paper.ledger import read_ledger
from brokers.paper.provision import PaperAccount, create_accounts
from tradingsite.bench.numbers import summary

CASH = Decimal(100_000_000)
SETTLE_SECONDS = 0.5


def measure_venue(orders: int) -> dict[str, Any]:
    """Place market orders straight at the exchange, one after the other.

    ``call`` is from the request to its answer; ``fill`` from acceptance to the fill, by its own ledger, which
    the exchange delays on purpose (VENUE_FILL_DELAY_MS). Milliseconds. Raises ``BrokerError``.
    """
    [account] = create_accounts(
        1, CASH, venue_url=settings.VENUE_URL, admin_token=settings.VENUE_ADMIN_TOKEN, label="bench"
    )
    calls = _place(account, orders)
    time.sleep(SETTLE_SECONDS)
    ledger = read_ledger(settings.VENUE_DATABASE_URL, [account.account_id]).orders
    waits = [
        (order.fills[0].at - order.accepted_at).total_seconds() * 1000 for order in ledger if order.fills
    ]
    return {"orders": orders, "call": summary(calls), "fill": summary(waits)}


def _place(account: PaperAccount, orders: int) -> list[float]:
    parts = urlsplit(settings.VENUE_URL)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    headers = {
        "APCA-API-KEY-ID": account.key_id,
        "APCA-API-SECRET-KEY": account.secret,
        "Content-Type": "application/json",
    }
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    calls = []
    for _ in range(orders):
        body = json.dumps({**order, "client_order_id": uuid.uuid4().hex})
        started = time.perf_counter()
        connection.request("POST", "/v2/orders", body, headers)
        response = connection.getresponse()
        response.read()
        calls.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise ConnectionError(f"the exchange answers HTTP {response.status}")
    connection.close()
    return calls
