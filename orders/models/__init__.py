"""What the desk keeps in PostgreSQL: one file per noun."""

from orders.models.api_key import ApiKey
from orders.models.attention import AttentionItem
from orders.models.event import OrderEvent
from orders.models.execution import Execution
from orders.models.heartbeat import Heartbeat
from orders.models.lease import WorkerLease
from orders.models.order import FINAL_STATUSES, Order, Source
from orders.models.signal import Signal
from orders.models.strategy import Strategy
from orders.models.trader import OrderQuota, Plan, Trader

__all__ = [
    "FINAL_STATUSES",
    "ApiKey",
    "AttentionItem",
    "Execution",
    "Heartbeat",
    "Order",
    "OrderEvent",
    "OrderQuota",
    "Plan",
    "Signal",
    "Source",
    "Strategy",
    "Trader",
    "WorkerLease",
]
