"""An adapter that does what the test tells it, for the services; the real one is tested over HTTP in contract/."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from brokers.paper.factory import CAPABILITIES
from brokers.types import (
    BeforeSend,
    CancelOrder,
    Capabilities,
    ExecutionReport,
    IdempotencyClass,
    NewOrder,
    Quote,
    ReplaceOrder,
)

Answer = ExecutionReport | BaseException | None


@dataclass
class ScriptedAdapter:
    """``submit``, ``found``: what the next calls return or raise; ``sent``: the commands that got through."""

    submit: Callable[[NewOrder], ExecutionReport] | BaseException | None = None
    cancel: BaseException | None = None
    replace: Callable[[ReplaceOrder], ExecutionReport] | BaseException | None = None
    found: Answer = None
    by_broker_id: Answer = None
    listed: Sequence[ExecutionReport] = ()
    executions: Sequence[ExecutionReport] = ()
    quoted: Sequence[Quote] | BaseException = ()
    idempotency_class: IdempotencyClass = IdempotencyClass.A
    dedupe_window_seconds: int | None = None
    sent: list[NewOrder] = field(default_factory=list)
    requested: list[CancelOrder | ReplaceOrder] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            CAPABILITIES,
            idempotency_class=self.idempotency_class,
            dedupe_window_seconds=self.dedupe_window_seconds,
        )

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport:
        before_send()
        self.sent.append(order)
        if isinstance(self.submit, BaseException):
            raise self.submit
        assert self.submit is not None
        return self.submit(order)

    def cancel_order(self, request: CancelOrder, *, before_send: BeforeSend) -> None:
        before_send()
        self.requested.append(request)
        if self.cancel is not None:
            raise self.cancel

    def replace_order(self, request: ReplaceOrder, *, before_send: BeforeSend) -> ExecutionReport:
        before_send()
        self.requested.append(request)
        if isinstance(self.replace, BaseException):
            raise self.replace
        assert self.replace is not None
        return self.replace(request)

    def get_order(self, cl_ord_id: str) -> ExecutionReport | None:
        self.asked.append(cl_ord_id)
        return _answer(self.found)

    def get_order_by_broker_id(self, broker_order_id: str) -> ExecutionReport | None:
        self.asked.append(broker_order_id)
        return _answer(self.by_broker_id)

    def list_orders(
        self, *, since: datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]:
        self.asked.append("orders")
        return list(self.listed)

    def list_executions(self, *, since: datetime) -> list[ExecutionReport]:
        self.asked.append("executions")
        return list(self.executions)

    def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Answer with those of ``quoted`` that are asked for."""
        self.asked.append(",".join(symbols))
        if isinstance(self.quoted, BaseException):
            raise self.quoted
        return [quote for quote in self.quoted if quote.symbol in symbols]


def _answer(answer: Answer) -> ExecutionReport | None:
    if isinstance(answer, BaseException):
        raise answer
    return answer
