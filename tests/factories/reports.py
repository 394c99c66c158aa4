"""Execution reports, as an adapter would make them."""

import datetime as dt
from decimal import Decimal
from typing import Any

from brokers.types import ExecType, ExecutionReport, OrdStatus, Side
from orders.models import Order


def make_report(order: Order, exec_type: ExecType, **fields: Any) -> ExecutionReport:
    values: dict[str, Any] = {
        "exec_type": exec_type,
        "ord_status": OrdStatus.NEW,
        "cl_ord_id": order.cl_ord_id,
        "broker_order_id": f"venue-{order.cl_ord_id}",
        "symbol": order.symbol,
        "side": Side(order.side),
        "order_qty": order.order_qty,
        "transact_time": dt.datetime.now(dt.UTC),
    }
    return ExecutionReport(**(values | fields))


def make_fill(
    order: Order, qty: str, price: str = "100", exec_id: str = "x1", **fields: Any
) -> ExecutionReport:
    return make_report(
        order,
        ExecType.TRADE,
        exec_id=exec_id,
        last_qty=Decimal(qty),
        last_px=Decimal(price),
        ord_status=OrdStatus.PARTIALLY_FILLED,
        **fields,
    )
