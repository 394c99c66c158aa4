"""An adapter that does what the test tells it, for the services; the real one is tested over HTTP in contract/."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from brokers.paper.factory import CAPABILITIES
from brokers.types import BeforeSend, Capabilities, ExecutionReport, IdempotencyClass, NewOrder

Answer = ExecutionReport | BaseException | None


@dataclass
class ScriptedAdapter:
    """``submit``, ``found``: what the next calls return or raise; ``sent``: the commands that got through."""

    submit: Callable[[NewOrder], ExecutionReport] | BaseException | None = None
    found: Answer = None
    listed: Sequence[ExecutionReport] = ()
    executions: Sequence[ExecutionReport] = ()
    idempotency_class: IdempotencyClass = IdempotencyClass.A
    sent: list[NewOrder] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return replace(CAPABILITIES, idempotency_class=self.idempotency_class)

    def submit_order(self, order: NewOrder, *, before_send: BeforeSend) -> ExecutionReport:
        before_send()
        self.sent.append(order)
        if isinstance(self.submit, BaseException):
            raise self.submit
        assert self.submit is not None
        return self.submit(order)

    def get_order(self, cl_ord_id: str) -> ExecutionReport | None:
        self.asked.append(cl_ord_id)
        return _answer(self.found)

    def list_orders(
        self, *, since: datetime, cl_ord_ids: Sequence[str] | None = None
    ) -> list[ExecutionReport]:
        self.asked.append("orders")
        return list(self.listed)

    def list_executions(self, *, since: datetime) -> list[ExecutionReport]:
        self.asked.append("executions")
        return list(self.executions)


def _answer(answer: Answer) -> ExecutionReport | None:
    if isinstance(answer, BaseException):
        raise answer
    return answer
