"""Run a scenario's rows in time order and say which of them do not hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from orders.conformance.reports import TrackedOrder, implied_exec_ids, reject_event, report_events
from orders.conformance.scenario import (
    Row,
    RowError,
    Scenario,
    quantity,
    required_quantity,
    required_text,
    status,
    text,
)
from orders.state import (
    CancelRequested,
    Event,
    IllegalTransition,
    OrderState,
    ReplaceRequested,
    Submitted,
    apply,
)


@dataclass(frozen=True, slots=True)
class RowFailure:
    ref: str
    row: int  # counted from 1
    what: str

    def __str__(self) -> str:
        return f"{self.ref} row {self.row}: {self.what}"


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    ref: str
    failures: tuple[RowFailure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def run_scenario(scenario: Scenario) -> ScenarioResult:
    """Apply every row and compare; a row that fails does not stop those after it."""
    book = _Book(implied_exec_ids(scenario.rows))
    failures = []
    for index, row in enumerate(scenario.rows):
        try:
            what = "; ".join(book.take(index, row))
        except RowError as error:
            what = "" if row.get("odd") else str(error)
        if what:
            failures.append(RowFailure(scenario.ref, index + 1, f"{_name(row)}: {what}"))
    return ScenarioResult(scenario.ref, tuple(failures))


class _Book:
    """The orders of one scenario, found by any id that an order or a request on it carries."""

    def __init__(self, exec_ids: dict[int, str]) -> None:
        self._orders: dict[str, TrackedOrder] = {}
        self._exec_ids = exec_ids

    def take(self, index: int, row: Row) -> Iterator[str]:
        """Apply one row; yield what does not hold afterwards. Raises RowError."""
        kind = row["k"]
        if kind == "D":
            self._send(row)
        elif kind in ("F", "G"):
            self._request(row)
        elif kind == "S":
            self._find(row)
        elif kind in ("E", "R"):
            order = self._report(index, row)
            if not row.get("odd"):
                yield from _mismatches(row, order)
        elif kind != "N":
            raise RowError("unknown kind of row")

    def _send(self, row: Row) -> None:
        cl_ord_id = required_text(row, "id")
        known = self._orders.get(cl_ord_id)
        if known is not None and not known.unknown:
            known.repeats += 1  # one id is one order, however often it is sent
            return
        in_cash = row.get("qty") is None
        order_qty = Decimal(0) if in_cash else required_quantity(row, "qty")
        if in_cash:
            required_quantity(row, "cash")
        state = apply(OrderState(order_qty), Submitted(1))
        self._orders[cl_ord_id] = TrackedOrder(state, in_cash=in_cash, good_till=bool(row.get("gt")))

    def _request(self, row: Row) -> None:
        order = self._find(row)
        request_id = required_text(row, "id")
        event: Event = CancelRequested(request_id)
        if row["k"] == "G":
            event = ReplaceRequested(request_id, quantity(row, "qty"))
        # Where our desk would not have asked this, somebody did, and the answer must still leave the
        # order right.
        with suppress(IllegalTransition):
            order.state = apply(order.state, event)
        self._orders[request_id] = order

    def _report(self, index: int, row: Row) -> TrackedOrder:
        order = self._find(row)
        events = [reject_event(row, order)] if row["k"] == "R" else self._events(index, row, order)
        for event in events:
            order.state = apply(order.state, event)
        return order

    def _events(self, index: int, row: Row, order: TrackedOrder) -> list[Event]:
        exec_id = text(row, "execid") or self._exec_ids.get(index, f"row {index + 1}")
        return report_events(row, order, exec_id)

    def _find(self, row: Row) -> TrackedOrder:
        """Find a row's order, by its own id or the original's; else track one that we never sent."""
        names = [name for name in (text(row, "id"), text(row, "orig")) if name is not None] or ["-"]
        found = next((self._orders[name] for name in names if name in self._orders), None)
        if found is None:
            order_qty = quantity(row, "oq") or Decimal(0)
            found = TrackedOrder(apply(OrderState(order_qty), Submitted(1)), unknown=True)
        for name in names:
            self._orders.setdefault(name, found)
        return found


def _mismatches(row: Row, order: TrackedOrder) -> Iterator[str]:
    expected = status(row)
    state = order.state
    if expected is not None and state.ord_status is not expected:
        yield f"ord is {state.ord_status}, must be {expected}"
    actual = {"oq": state.order_qty, "cum": state.cum_qty, "leaves": state.leaves_qty}
    for name, value in actual.items():
        wanted = quantity(row, name)
        if wanted is not None and wanted != value:
            yield f"{name} is {value}, must be {wanted}"
    wanted = quantity(row, "avg")
    if wanted is not None and not order.unpriced and not _same_average(state.avg_px, wanted):
        yield f"avg is {state.avg_px}, must be {wanted}"


def _same_average(average: Decimal | None, wanted: Decimal) -> bool:
    """Compare to as many places as the row gives, whole numbers exactly; no fill is zero."""
    actual = Decimal(0) if average is None else average
    exponent = wanted.as_tuple().exponent
    if isinstance(exponent, int) and exponent < 0:
        actual = actual.quantize(wanted)
    return actual == wanted


def _name(row: Row) -> str:
    return " ".join(str(row[name]) for name in ("k", "exec", "id") if row.get(name) is not None)
