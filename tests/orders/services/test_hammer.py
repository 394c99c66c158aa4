"""The worker's loop, the broker's stream and the web at the same orders and positions at once: the books are right."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from brokers.types import (
    BeforeSend,
    CancelOrder,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    Side,
)
from orders.ledger.rebuild import rebuilt_differences
from orders.models import Execution, Order, OrderRequest, Position
from orders.selectors import orders_at_broker, unsent_requests
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.leases import Fence
from orders.services.positions import books_of, state_of_position
from orders.services.request_sending import send_request
from orders.services.requests import RequestRefused
from orders.services.submission import submit_order
from orders.services.verification import check_all_now, verify_account
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.requests import cancel
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db(transaction=True)

SYMBOLS = ("AAPL", "MSFT", "NVDA")
ORDERS = 24
PARTS = ("1", "4", "2", "3")  # every order is for 10
STREAMS = 2


class Exchange(ScriptedAdapter):
    """A broker that fills what it gets in parts, takes some fills back, puts some right, and tells all of it twice.

    What it tells goes into a queue, shuffled, for whoever listens; asked, it says the same truth.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.told: queue.Queue[ExecutionReport | None] = queue.Queue()
        self.truth: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        self._orders: dict[str, NewOrder] = {}
        self._facts: dict[str, list[ExecutionReport]] = {}
        self._canceled: set[str] = set()
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport:
        before_send()
        with self._lock:
            self._orders[order.cl_ord_id] = order
            facts = self._facts[order.cl_ord_id] = self._fill(order)
            told = [self._report(order, ExecType.NEW), *facts, *facts]
            self._random.shuffle(told)
        for report in told:
            self.told.put(report)
        return self._report(order, ExecType.NEW)

    def cancel_order(self, request: CancelOrder, *, before_send: BeforeSend) -> None:
        before_send()
        with self._lock:
            order = self._orders[request.orig_cl_ord_id]
            self._canceled.add(order.cl_ord_id)
        report = self._report(order, ExecType.CANCELED, ord_status=OrdStatus.CANCELED)
        for _ in range(2):
            self.told.put(report)

    def list_orders(
        self, *, since: datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]:
        with self._lock:
            wanted = [self._orders[name] for name in cl_ord_ids or () if name in self._orders]
            return [self._status(order) for order in wanted]

    def list_executions(self, *, since: datetime) -> list[ExecutionReport]:
        with self._lock:
            facts = [fact for told in self._facts.values() for fact in told]
        return sorted(facts, key=lambda fact: fact.transact_time)

    def filled_of(self, cl_ord_id: str) -> Decimal:
        return sum((qty for qty, _ in self.truth[cl_ord_id].values()), Decimal(0))

    def _fill(self, order: NewOrder) -> list[ExecutionReport]:
        """Make the facts of an order; every third has a fill taken back, every third one put right."""
        truth = self.truth[order.cl_ord_id] = {}
        parts = PARTS if len(self._orders) % 4 else PARTS[:2]
        facts, began, cum_qty = [], datetime.now(UTC), Decimal(0)
        for number, part in enumerate(parts):
            exec_id, price = f"{order.cl_ord_id}-{number}", Decimal(self._random.randrange(9000, 11000)) / 100
            cum_qty += Decimal(part)
            truth[exec_id] = (Decimal(part), price)
            fill = {"exec_id": exec_id, "last_qty": Decimal(part), "last_px": price, "cum_qty": cum_qty}
            at = began + timedelta(milliseconds=number + 1)
            facts.append(self._report(order, ExecType.TRADE, transact_time=at, **fill))
        amended, kind = f"{order.cl_ord_id}-1", len(self._orders) % 3
        at = began + timedelta(milliseconds=len(parts) + 1)
        spoken = {"exec_id": f"{amended}-again", "exec_ref_id": amended, "transact_time": at}
        if kind == 0:
            del truth[amended]
            facts.append(self._report(order, ExecType.TRADE_CANCEL, **spoken))
        elif kind == 1:
            qty, price = truth.pop(amended)
            truth[spoken["exec_id"]] = (qty - 1, price + 1)
            right = {"last_qty": qty - 1, "last_px": price + 1}
            facts.append(self._report(order, ExecType.TRADE_CORRECT, **spoken, **right))
        return facts

    def _status(self, order: NewOrder) -> ExecutionReport:
        filled = self.filled_of(order.cl_ord_id)
        status = OrdStatus.PARTIALLY_FILLED if filled else OrdStatus.NEW
        if filled == order.order_qty:
            status = OrdStatus.FILLED
        elif order.cl_ord_id in self._canceled:
            status = OrdStatus.CANCELED
        return self._report(order, ExecType.ORDER_STATUS, ord_status=status, cum_qty=filled)

    def _report(self, order: NewOrder, exec_type: ExecType, **fields: Any) -> ExecutionReport:
        report = ExecutionReport(
            exec_type,
            OrdStatus.NEW,
            order.cl_ord_id,
            f"venue-{order.cl_ord_id}",
            order.symbol,
            order.side,
            order.order_qty,
            datetime.now(UTC),
        )
        return replace(report, **fields)


def in_threads(*works: Callable[[], None]) -> list[BaseException | None]:
    """Run these at the same time, each on a connection of its own; return what has gone wrong with each."""

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(len(works)) as threads:
        done = [threads.submit(run, work) for work in works]
        return [one.exception(timeout=120) for one in done]


def stream_of(exchange: Exchange, desk: Desk) -> Callable[[], None]:
    """Apply what the exchange tells, a few reports of one order at a time, until it has told all."""

    def listen() -> None:
        while (report := exchange.told.get()) is not None:
            apply_execution_reports([report], account_id=desk.account.id, origin=Origin("stream"))

    return listen


def loop_of(exchange: Exchange, desk: Desk, fence: Fence, orders: Sequence[Order]) -> Callable[[], None]:
    """Send, cancel, ask, as the worker's loop does."""

    def work() -> None:
        adapter: Any = exchange
        for count, order in enumerate(orders):
            submit_order(
                order.id,
                adapter=adapter,
                fence=fence,
                before_send=lambda: None,
                heard=list,
                dequeued_at=timezone.now(),
            )
            send_requests(adapter, desk, fence)
            if count % 4 == 3:
                check_all_now(desk.account.id)
                verify_account(
                    desk.account.id, orders_at_broker(desk.account.id), adapter=adapter, fence=fence
                )
        send_requests(adapter, desk, fence)

    return work


def send_requests(adapter: Any, desk: Desk, fence: Fence) -> None:
    for request in unsent_requests(desk.user.id):
        send_request(request.id, adapter=adapter, fence=fence, before_send=lambda: None)


def web_of(orders: Sequence[Order]) -> Callable[[], None]:
    """Ask for cancels of what may be filled already."""

    def ask() -> None:
        for order in orders[::4]:
            try:
                cancel(order)
            except RequestRefused:
                continue  # it has ended

    return ask


@pytest.mark.parametrize("seed", [1, 2])
def test_all_at_once(seed: int) -> None:
    desk = make_desk(allowed_symbols=list(SYMBOLS))
    fence, exchange = lease_of(desk), Exchange(seed)
    # One side a symbol: an entry on the other side would close what is held first, by an order of the desk's.
    sides = random.Random(seed).choices(["buy", "sell"], k=3) * (ORDERS // 3)
    orders = [
        record_one(desk, symbol=SYMBOLS[number % 3], action=side, order_type="entry", quantity="10")
        for number, side in enumerate(sides)
    ]
    ready = threading.Barrier(2)

    def work_and_end() -> None:
        ready.wait()
        try:
            loop_of(exchange, desk, fence, orders)()
        finally:
            for _ in range(STREAMS):
                exchange.told.put(None)

    def ask() -> None:
        ready.wait()
        web_of(orders)()

    listeners = [stream_of(exchange, desk) for _ in range(STREAMS)]
    assert in_threads(work_and_end, ask, *listeners) == [None] * (2 + STREAMS)
    verify_account(desk.account.id, orders_at_broker(desk.account.id), adapter=exchange, fence=fence)  # type: ignore[arg-type]
    assert_right(exchange, orders)


def assert_right(exchange: Exchange, orders: Sequence[Order]) -> None:
    """Compare orders, executions and positions with what the exchange has done, added up here."""
    assert rebuilt_differences() == []
    held: dict[str, tuple[Decimal, Decimal]] = {symbol: (Decimal(0), Decimal(0)) for symbol in SYMBOLS}
    sent = 0
    for order in orders:
        order.refresh_from_db()
        if order.ord_status == OrdStatus.DENIED:
            assert order.cl_ord_id not in exchange.truth
            continue
        sent += 1
        truth = exchange.truth[order.cl_ord_id].values()
        assert order.cum_qty == exchange.filled_of(order.cl_ord_id), order.cl_ord_id
        sign = 1 if order.side == Side.BUY else -1
        qty, cash = held[order.symbol]
        held[order.symbol] = (
            qty + sign * order.cum_qty,
            cash - sign * sum((qty * price for qty, price in truth), Decimal(0)),
        )
    assert sent > ORDERS // 2
    told = {fact.exec_id for fact in exchange.list_executions(since=datetime.now(UTC))}
    assert set(Execution.objects.values_list("exec_id", flat=True)) == told
    assert Execution.objects.count() == len(told)
    for position in Position.objects.all():
        assert (position.qty, position.cash) == held[position.symbol]
        rows = Execution.objects.filter(symbol=position.symbol)
        assert state_of_position(position) == books_of(rows).position
    assert not OrderRequest.objects.filter(status="SENT").exists()
