"""What an execution report or a reject of a scenario is to the state machine.

The machine is given only what a report tells that it cannot know by itself: what happened, the quantity
of a replaced or restated order or of a converted cash amount, and the answer to a status request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.types import OrdStatus
from orders import state as machine
from orders.conformance.scenario import Row, RowError, plain, quantity, required_quantity, status, text
from orders.state import Event, OrderState, RequestKind


@dataclass(slots=True)
class TrackedOrder:
    """One order of a scenario: its state, and what the rows have said about it so far."""

    state: OrderState
    unknown: bool = False  # named by a request or a report, and never sent by us
    in_cash: bool = False
    good_till: bool = False
    repeats: int = 0  # second sendings of its id that nobody has answered
    unnamed: list[str] = field(default_factory=list)  # our names for trades without an exec id
    unpriced: bool = False  # some execution came without a price, so there is no average


def report_events(row: Row, order: TrackedOrder, exec_id: str) -> list[Event]:
    """Return the events that an E row stands for. Raises RowError for what cannot be read."""
    exec_type = plain(text(row, "exec") or "")
    make = _MAKERS.get(exec_type)
    if make is None:
        raise RowError(f"exec is no ExecType: {text(row, 'exec')}")
    order.good_till = order.good_till or bool(row.get("gt"))
    if exec_type == "trade" and row.get("nofill"):
        make = _acknowledged
    return [*_sized(row, order), make(row, order, exec_id)]


def reject_event(row: Row, order: TrackedOrder) -> Event:
    """Return the event that an R row stands for: the kind is that of the request it answers."""
    request_id = text(row, "id")
    kinds = [request.kind for request in order.state.requests if request.id == request_id]
    rejected = machine.ReplaceRejected if RequestKind.REPLACE in kinds else machine.CancelRejected
    return rejected(request_id, status(row), text(row, "reason") or "")


def implied_exec_ids(rows: Sequence[Row]) -> dict[int, str]:
    """Name the reports that carry no exec id, by row index, where the others show a series.

    The matrices letter their reports in turn and print the letter only where it matters; a later row may
    still refer to one that was not printed.
    """
    reports = [index for index, row in enumerate(rows) if row["k"] == "E"]
    named = {place: text(rows[index], "execid") for place, index in enumerate(reports)}
    starts = {ord(name) - place for place, name in named.items() if name and len(name) == 1}
    if len(starts) != 1 or any(name and len(name) != 1 for name in named.values()):
        return {}
    start = starts.pop()
    return {
        index: chr(start + place)
        for place, index in enumerate(reports)
        if named[place] is None and 0 <= start + place <= ord("z")
    }


def _sized(row: Row, order: TrackedOrder) -> list[Event]:
    """Tell the machine the quantity of a cash order, or of one that we never sent, once it is reported."""
    if not order.in_cash and not (order.unknown and not order.state.order_qty):
        return []
    order_qty = quantity(row, "oq")
    if not order_qty:
        leaves_qty = quantity(row, "leaves")
        order_qty = leaves_qty + (quantity(row, "cum") or Decimal(0)) if leaves_qty else None
    if not order_qty or order_qty == order.state.order_qty:
        return []
    return [machine.Sized(order_qty)]


def _acknowledged(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    # The answer to a repeated sending of an order that the broker has (PossResend) says nothing new.
    if order.repeats and order.state.phase is machine.Phase.NEW:
        order.repeats -= 1
        return machine.PendingNew()
    return machine.Acknowledged()


def _trade(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    if text(row, "execid") is None:
        order.unnamed.append(exec_id)
    return machine.Trade(exec_id, required_quantity(row, "last"), _price(row, order))


def _correction(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    ref_id = _ref_id(row, order)
    corrected = [fill for fill in order.state.fills if ref_id in (fill.exec_id, *fill.supersedes)]
    last_qty, last_px = quantity(row, "last"), quantity(row, "px")
    if corrected:
        last_qty = corrected[0].last_qty if last_qty is None else last_qty
        last_px = corrected[0].last_px if last_px is None else last_px
    if last_qty is None:
        raise RowError("last is missing")
    return machine.Correction(exec_id, ref_id, last_qty, _price(row, order) if last_px is None else last_px)


def _bust(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    return machine.Bust(exec_id, _ref_id(row, order))


def _ref_id(row: Row, order: TrackedOrder) -> str:
    """Name the execution that a correction or a bust refers to.

    A reference to a name that no row carries means the oldest execution that came without one.
    """
    named = text(row, "refid")
    surviving = order.state.fills
    if named is None:
        if not surviving:
            raise RowError("refid is missing")
        return surviving[-1].exec_id
    known = {name for fill in surviving for name in (fill.exec_id, *fill.supersedes)}
    if named in known or named in order.state.retired:
        return named
    unnamed = [name for name in order.unnamed if name in known]
    return unnamed[0] if unnamed else named


def _price(row: Row, order: TrackedOrder) -> Decimal:
    price = quantity(row, "px")
    if price is None:
        order.unpriced = True
        return Decimal(0)
    return price


def _request_id(row: Row, order: TrackedOrder) -> str | None:
    """Name the request that a report answers; None when it comes unasked, under the order's own id."""
    name = text(row, "id")
    asked = any(request.id == name for request in order.state.open_requests)
    return name if asked or text(row, "orig") is not None else None


def _restated(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    return machine.Restated(quantity(row, "oq"), quantity(row, "cum"))


def _rejected(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    """Tell the refusal of a repeated id (OrdRejReason 6) from that of the order itself."""
    reason = text(row, "reason") or ""
    coded = "ordrejreason" in reason.lower()
    answers_repeat = order.repeats > 0 and order.state.at_broker
    duplicate = "ordrejreason=6" in reason.lower().replace(" ", "") if coded else answers_repeat
    if duplicate:
        order.repeats = max(order.repeats - 1, 0)
    return machine.Rejected(reason, duplicate)


def _order_status(row: Row, order: TrackedOrder, exec_id: str) -> Event:
    return machine.StatusReport(status(row) or OrdStatus.NEW)


_MAKERS: dict[str, Callable[[Row, TrackedOrder, str], Event]] = {
    "pendnew": lambda row, order, exec_id: machine.PendingNew(),
    "new": _acknowledged,
    "trade": _trade,
    "partfilled": _trade,  # FIX 4.2 names its trades by their outcome
    "filled": _trade,
    "fill": _trade,
    "tradecorrect": _correction,
    "tradecancel": _bust,
    "pendcancel": lambda row, order, exec_id: machine.PendingCancel(_request_id(row, order)),
    "canceled": lambda row, order, exec_id: machine.Canceled(_request_id(row, order)),
    "pendreplace": lambda row, order, exec_id: machine.PendingReplace(_request_id(row, order)),
    "replaced": lambda row, order, exec_id: machine.Replaced(_request_id(row, order), quantity(row, "oq")),
    "restated": _restated,
    "expired": lambda row, order, exec_id: machine.Expired(),
    "doneforday": lambda row, order, exec_id: machine.DoneForDay(order.good_till),
    "stopped": lambda row, order, exec_id: machine.Stopped(),
    "suspended": lambda row, order, exec_id: machine.Suspended(),
    "triggered": lambda row, order, exec_id: machine.Triggered(),
    "rejected": _rejected,
    "orderstatus": _order_status,
}
