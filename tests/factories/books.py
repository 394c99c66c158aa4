"""A broker's books of one account that a test writes by hand, and the comparing with them."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.utils import timezone

from brokers.errors import BrokerUnavailable
from brokers.types import (
    AccountReport,
    CorporateAction,
    ExecType,
    ExecutionReport,
    OrdStatus,
    PositionReport,
    Quote,
    Side,
)
from orders.models import Errand, Execution, Order, Position, ReconciliationRun
from orders.services.errands import finish_errand
from orders.services.executions import Applied
from orders.services.leases import Fence
from orders.services.reconciliation.account import reconcile_account
from orders.services.reconciliation.asking import ask_now
from tests.factories.reports import make_report
from tests.factories.traders import Desk

AGO = dt.timedelta(minutes=1)


@dataclass
class Books:
    """What the broker shows; ``on_positions`` is called when positions are read, to have something happen then."""

    orders: list[ExecutionReport] = field(default_factory=list)
    executions: list[ExecutionReport] = field(default_factory=list)
    positions: list[PositionReport] = field(default_factory=list)
    actions: list[CorporateAction] = field(default_factory=list)
    cash: Decimal = Decimal(100_000)
    quotes: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    on_positions: Callable[[], None] = lambda: None
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, desk: Desk) -> "Books":
        """Return the books of a broker that has told the desk everything so far."""
        books = cls()
        for row in Execution.objects.filter(account=desk.account).select_related("order").order_by("id"):
            order = make_report(row.order, ExecType.ORDER_STATUS, cl_ord_id=row.order.working_cl_ord_id)
            order = replace(order, broker_order_id=row.order.broker_order_id)
            books.fill(order, f"{row.last_qty:f}", f"{row.last_px:f}", exec_id=row.exec_id)
        for position in Position.objects.filter(account=desk.account).exclude(qty=0):
            books.hold(f"{position.qty:f}", f"{position.cost / position.qty:f}", position.symbol)
            books.cash += position.cash
        return books

    # --- what a test writes ---

    def order(
        self, side: Side, qty: str, status: OrdStatus = OrdStatus.NEW, **fields: Any
    ) -> ExecutionReport:
        """Add an order that the desk has not sent, and return it."""
        values: dict[str, Any] = {
            "exec_type": ExecType.ORDER_STATUS,
            "ord_status": status,
            "cl_ord_id": str(uuid.uuid4()),
            "broker_order_id": str(uuid.uuid4()),
            "symbol": "AAPL",
            "side": side,
            "order_qty": Decimal(qty),
            "cum_qty": Decimal(qty) if status is OrdStatus.FILLED else Decimal(0),
            "transact_time": timezone.now(),
        }
        report = ExecutionReport(**(values | fields))
        self.orders.append(report)
        return report

    def fill(self, order: ExecutionReport, qty: str, px: str, **fields: Any) -> ExecutionReport:
        """Add a fill of such an order."""
        values: dict[str, Any] = {
            "exec_type": ExecType.TRADE,
            "ord_status": OrdStatus.FILLED,
            "cl_ord_id": order.cl_ord_id,
            "broker_order_id": order.broker_order_id,
            "symbol": order.symbol,
            "side": order.side,
            "order_qty": order.order_qty,
            "transact_time": timezone.now(),
            "exec_id": str(uuid.uuid4()),
            "last_qty": Decimal(qty),
            "last_px": Decimal(px),
            "cum_qty": Decimal(qty),
        }
        report = ExecutionReport(**(values | fields))
        self.executions.append(report)
        return report

    def traded(self, side: Side, qty: str, px: str, **fields: Any) -> ExecutionReport:
        """Add a market order of somebody else's that was filled at once."""
        order = self.order(side, qty, OrdStatus.FILLED, **fields)
        self.fill(order, qty, px)
        return order

    def hold(self, qty: str, avg_px: str = "100", symbol: str = "AAPL") -> None:
        """Have this be the position in the symbol, and its cash what it has cost."""
        self.positions = [one for one in self.positions if one.symbol != symbol]
        if Decimal(qty):
            self.positions.append(PositionReport(symbol, Decimal(qty), Decimal(avg_px)))

    def shows(self, order: Order, status: OrdStatus = OrdStatus.NEW, **fields: Any) -> ExecutionReport:
        """Have the broker show an order of the desk's."""
        order.refresh_from_db()
        values: dict[str, Any] = {
            "cl_ord_id": order.working_cl_ord_id,
            "broker_order_id": order.broker_order_id,
            "symbol": order.symbol,
            "cum_qty": order.cum_qty,
            "price": order.price,
        }
        return self.order(Side(order.side), f"{order.order_qty:f}", status, **(values | fields))

    # --- the protocol, as far as comparing needs it ---

    def list_orders(
        self, *, since: dt.datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]:
        self.asked.append("orders")
        return list(self.orders)

    def list_executions(self, *, since: dt.datetime) -> list[ExecutionReport]:
        self.asked.append("executions")
        return list(self.executions)

    def list_positions(self) -> list[PositionReport]:
        self.asked.append("positions")
        self.on_positions()
        return list(self.positions)

    def list_corporate_actions(self, *, since: dt.datetime) -> list[CorporateAction]:
        return list(self.actions)

    def account(self) -> AccountReport:
        return AccountReport("1", "USD", self.cash, self.cash, self.cash, blocked=False)

    def quote(self, symbol: str) -> Quote:
        if symbol not in self.quotes:
            raise BrokerUnavailable("no quote")
        bid, ask = self.quotes[symbol]
        bid_px, ask_px = (None if side is None else Decimal(side) for side in (bid, ask))
        return Quote(symbol, bid_px, ask_px, timezone.now())

    def get_order(self, cl_ord_id: str) -> ExecutionReport | None:
        self.asked.append(cl_ord_id)
        return next((one for one in self.orders if one.cl_ord_id == cl_ord_id), None)

    def get_order_by_broker_id(self, broker_order_id: str) -> ExecutionReport | None:
        self.asked.append(broker_order_id)
        return next((one for one in self.orders if one.broker_order_id == broker_order_id), None)


def compare(desk: Desk, fence: Fence, books: Books) -> tuple[ReconciliationRun, Sequence[Applied]]:
    """Have the trader's worker compare the account with these books; return the run and what it applied."""
    if not Errand.objects.filter(account=desk.account, kind=Errand.Kind.RECONCILE).exists():
        ask_now(desk.account)
    errand = Errand.objects.get(account=desk.account, kind=Errand.Kind.RECONCILE)
    applied = reconcile_account(errand, books, fence)  # type: ignore[arg-type]
    finish_errand(errand)
    return ReconciliationRun.objects.order_by("-id")[0], applied
