"""The broker protocol on a book in memory, and its stream, which tells only what the test lets through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from brokers.paper.factory import CAPABILITIES
from brokers.types import (
    AccountReport,
    BeforeSend,
    CancelOrder,
    Capabilities,
    CorporateAction,
    ExecutionReport,
    IdempotencyClass,
    NewOrder,
    OnReport,
    PositionReport,
    Quote,
    ReplaceOrder,
)
from failpoints import failpoint
from tests.machine.venue import Book


class MemoryStream:
    """What a book has told and the session has not heard yet."""

    def __init__(self, book: Book, on_report: OnReport, on_gap: Callable[[], None]) -> None:
        self.waiting: list[ExecutionReport] = []
        self.is_live = True
        self._book, self._on_report, self._on_gap = book, on_report, on_gap
        book.streams.append(self.waiting.append)
        self._hear = book.streams[-1]

    def wait_live(self, timeout_seconds: float) -> bool:
        return self.is_live

    def renew(self) -> None:
        self.drop()

    def close(self) -> None:
        if self.is_live:
            self.is_live = False
            self._book.streams.remove(self._hear)

    def deliver(self, pick: int, *, again: bool) -> None:
        """Let one of the waiting reports through, in any order; ``again`` has it come once more later."""
        index = pick % len(self.waiting)
        self._on_report(self.waiting[index] if again else self.waiting.pop(index))

    def drop(self) -> None:
        """Lose what is waiting, as a connection that breaks does; the session is told when it is back."""
        self.waiting.clear()
        self._on_gap()


class NeverAsked(AssertionError):
    """The services that the machine drives ask no broker for this: a book knows orders and executions only."""


class MemoryAdapter:
    """One account at its book. ``departed`` is called where a command's first byte leaves."""

    def __init__(self, book: Book, departed: Callable[[], None]) -> None:
        self._book = book
        self._departed = departed
        self.streams: list[MemoryStream] = []

    @property
    def capabilities(self) -> Capabilities:
        kind = IdempotencyClass.A if self._book.unique_ids else IdempotencyClass.C
        return replace(CAPABILITIES, idempotency_class=kind)

    def connect(self) -> None:
        self._book.read()

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport:
        self._depart(before_send)
        return self._book.submit(order)

    def cancel_order(self, request: CancelOrder, *, before_send: BeforeSend) -> None:
        self._depart(before_send)
        self._book.cancel(request)

    def replace_order(self, request: ReplaceOrder, *, before_send: BeforeSend) -> ExecutionReport:
        self._depart(before_send)
        return self._book.replace(request)

    def get_order(self, cl_ord_id: str) -> ExecutionReport | None:
        self._book.read()
        found = self._book.find(cl_ord_id)
        return None if found is None else self._book.status_of(found)

    def list_orders(
        self, *, since: datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]:
        self._book.read()
        return [
            self._book.status_of(order)
            for order in self._book.orders
            if cl_ord_ids is None or order.cl_ord_id in cl_ord_ids
        ]

    def list_executions(self, *, since: datetime) -> list[ExecutionReport]:
        self._book.read()
        return self._book.fills()

    def list_positions(self) -> list[PositionReport]:
        self._book.read()
        return [
            PositionReport(symbol, qty, avg_px=Decimal(100))
            for symbol, qty in self._book.held().items()
            if qty
        ]

    def list_corporate_actions(self, *, since: datetime) -> list[CorporateAction]:
        return []

    def account(self) -> AccountReport:
        cash = self._book.cash()
        return AccountReport("book", "USD", cash, cash, cash, blocked=False)

    def quote(self, symbol: str) -> Quote:
        raise NeverAsked(f"a quote of {symbol}")

    def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        raise NeverAsked("quotes")

    def stream(self, *, on_report: OnReport, on_gap: Callable[[], None]) -> MemoryStream:
        stream = MemoryStream(self._book, on_report, on_gap)
        self.streams.append(stream)
        return stream

    def close(self) -> None:
        pass

    def _depart(self, before_send: BeforeSend) -> None:
        before_send()
        self._departed()
        failpoint("send.departing")
