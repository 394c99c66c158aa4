"""Payloads in the form of Alpaca's API reference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.types import NewOrder, OrdType, Side, TimeInForce

ORDER_ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
OTHER_ID = "a5be8f5e-fdfa-41f5-a644-7a74fe947a8f"


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": ORDER_ID,
        "client_order_id": "0aBcDeFgHiJkLmNoPqRsTu",
        "created_at": "2021-03-16T18:38:01.942282Z",
        "updated_at": "2021-03-16T18:38:01.942282123Z",
        "submitted_at": "2021-03-16T18:38:01.937734Z",
        "filled_at": None,
        "replaced_by": None,
        "replaces": None,
        "symbol": "AAPL",
        "notional": None,
        "qty": "15",
        "filled_qty": "0",
        "filled_avg_price": None,
        "type": "market",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": None,
        "stop_price": None,
        "status": "accepted",
        **changes,
    }


def fill_activity(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"20210127144930176::ddc0a142-ebfd-4890-9021-{number:012d}",
        "activity_type": "FILL",
        "transaction_time": "2021-01-27T19:49:30.176Z",
        "type": "partial_fill",
        "price": "31.6",
        "qty": "100",
        "side": "buy",
        "symbol": "QQQJ",
        "leaves_qty": "131",
        "order_id": ORDER_ID,
        "cum_qty": "869",
        **changes,
    }


def new_order(**changes: Any) -> NewOrder:
    values: dict[str, Any] = {
        "cl_ord_id": "0aBcDeFgHiJkLmNoPqRsTu",
        "symbol": "AAPL",
        "side": Side.BUY,
        "ord_type": OrdType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "order_qty": Decimal("15"),
        **changes,
    }
    return NewOrder(**values)


def do_nothing() -> None:
    """A guard that allows."""
