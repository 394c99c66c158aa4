"""What the desk keeps in PostgreSQL: one file per noun."""

from orders.models.account_snapshot import AccountSnapshot
from orders.models.api_key import ApiKey
from orders.models.attention import AttentionItem
from orders.models.dead_letter import DeadLetter, TaskFailure
from orders.models.errand import Errand
from orders.models.event import OrderEvent
from orders.models.execution import Execution
from orders.models.exit_reason import ExitReason
from orders.models.exit_rules import ExitRules
from orders.models.heartbeat import Heartbeat
from orders.models.lease import WorkerLease
from orders.models.market_hours import MarketOverride, MarketSession
from orders.models.order import Leg, Order, Source
from orders.models.pool import PoolTarget
from orders.models.position import Position
from orders.models.quote import Quote
from orders.models.reconciliation import AccountHalt, OutsideId, ReconciliationFinding, ReconciliationRun
from orders.models.request import OrderRequest
from orders.models.request_key import OrderRequestKey
from orders.models.signal import Signal
from orders.models.strategy import Strategy, TradeStyle
from orders.models.trade import Trade, TradeOrder
from orders.models.trader import OrderQuota, Plan, Trader

__all__ = [
    "AccountHalt",
    "AccountSnapshot",
    "ApiKey",
    "AttentionItem",
    "DeadLetter",
    "Errand",
    "Execution",
    "ExitReason",
    "ExitRules",
    "Heartbeat",
    "Leg",
    "MarketOverride",
    "MarketSession",
    "Order",
    "OrderEvent",
    "OrderQuota",
    "OrderRequest",
    "OrderRequestKey",
    "OutsideId",
    "Plan",
    "PoolTarget",
    "Position",
    "Quote",
    "ReconciliationFinding",
    "ReconciliationRun",
    "Signal",
    "Source",
    "Strategy",
    "TaskFailure",
    "Trade",
    "TradeOrder",
    "TradeStyle",
    "Trader",
    "WorkerLease",
]
