"""A broker that nets positions, for a worker's session in this process: it fills when the test says so."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.utils import timezone

from brokers.types import (
    BeforeSend,
    CancelOrder,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    OrdType,
    PositionReport,
    Side,
)
from orders.models import Order
from orders.services.changes import Origin
from orders.services.executions import Applied, apply_execution_report
from orders.services.turns import waiting_orders
from tasks.fleet.session import TraderSession
from tasks.fleet.slots import Slot, boottime
from tests.factories.adapters import ScriptedAdapter
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk


@dataclass
class Exchange(ScriptedAdapter):
    """``fills_at_once``: market orders are filled in full with the answer; ``cancels``: a cancel is confirmed."""

    fills_at_once: bool = True
    cancels: bool = True
    position: Decimal = Decimal(0)
    heard: list[ExecutionReport] = field(default_factory=list)
    refuses: BaseException | None = None

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport:
        before_send()
        self.sent.append(order)
        if self.refuses is not None:
            raise self.refuses
        row = Order.objects.get(cl_ord_id=order.cl_ord_id)
        if self.fills_at_once and order.ord_type is OrdType.MARKET:
            self.heard.append(self._fill(row, order.order_qty))
        return make_report(row, ExecType.NEW)

    def cancel_order(self, request: CancelOrder, *, before_send: BeforeSend) -> None:
        super().cancel_order(request, before_send=before_send)
        if self.cancels:
            order = Order.objects.get(cl_ord_id=request.orig_cl_ord_id)
            self.tell_canceled(order)

    def list_positions(self) -> list[PositionReport]:
        self.asked.append("positions")
        return [PositionReport("AAPL", self.position, Decimal(100))] if self.position else []

    def fill(self, order: Order, qty: str) -> None:
        """Fill some of an order, and have the stream tell of it."""
        self._tell(self._fill(order, Decimal(qty)))

    def tell_canceled(self, order: Order) -> None:
        """Have the stream tell that the rest of an order is canceled."""
        self._tell(make_report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED))

    def sides(self) -> list[tuple[str, Decimal]]:
        """Return what was sent, as side and quantity."""
        return [(command.side.value, command.order_qty) for command in self.sent]

    def _fill(self, order: Order, qty: Decimal) -> ExecutionReport:
        self.position += qty if order.side == Side.BUY else -qty
        return make_fill(order, str(qty), exec_id=uuid.uuid4().hex)

    def _tell(self, report: ExecutionReport) -> Applied | None:
        account_id = Order.objects.get(cl_ord_id=report.cl_ord_id).account_id
        return apply_execution_report(report, account_id=account_id, origin=Origin("stream"))


@dataclass
class Account:
    """An account's session over the exchange."""

    adapter: Exchange
    account_id: uuid.UUID
    stream: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(is_live=True))
    watch: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(finds_silence=lambda known, found: False)
    )

    @contextmanager
    def holding(self, order: Order) -> Iterator[Callable[[], list[ExecutionReport]]]:
        def take() -> list[ExecutionReport]:
            taken, self.adapter.heard = self.adapter.heard, []
            return taken

        yield take


@dataclass
class Pit:
    """A trader, their worker and the exchange."""

    desk: Desk
    session: TraderSession
    exchange: Exchange

    def work(self) -> None:
        """Have the worker do all that is due, whoever waits being looked at once more."""
        waiting = Order.objects.filter(waiting_orders(self.desk.account.id, "AAPL"))
        waiting.update(eligible_at=timezone.now())
        self.session.work()

    def orders(self) -> list[Order]:
        return list(Order.objects.filter(account=self.desk.account).order_by("id"))


def open_pit(desk: Desk, monkeypatch: pytest.MonkeyPatch, exchange: Exchange | None = None) -> Pit:
    """Give the trader a worker in this process; with ``exchange`` given, one that comes after another."""
    exchange = exchange or Exchange()
    session = TraderSession(lease_of(desk), Slot(deadline=boottime() + 60))
    account = Account(exchange, desk.account.id)
    monkeypatch.setattr(session, "_account", lambda _: account)
    monkeypatch.setattr("tasks.fleet.session.answer", lambda *_: None)
    monkeypatch.setattr("tasks.fleet.session.answer_requests", lambda *_: None)
    return Pit(desk, session, exchange)
