"""The comparing itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from brokers.types import CorporateAction, ExecutionReport, OrdStatus, PositionReport
from orders.reconciliation.books import Holding, WorkingOrder

ZERO = Decimal(0)

SAME_COST = Decimal("0.0001")
"""So much, of itself, a cost may differ and be the same: brokers round the average price that they show."""

_ENDED = frozenset({OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED})
_WAITING = frozenset({OrdStatus.PENDING_NEW})


class Why(Enum):
    """What a difference of positions looks like."""

    UNEXPLAINED = auto()
    CORPORATE_ACTION = auto()
    """The quantity was counted anew and the cost has stayed, or the broker tells of one."""


@dataclass(frozen=True, slots=True)
class PositionDifference:
    """One symbol of which an account holds something else at its broker than in our books."""

    symbol: str
    ours: Holding
    theirs: Holding
    why: Why

    @property
    def qty(self) -> Decimal:
        """Return what would have to be traded to come from ours to theirs: signed."""
        return self.theirs.qty - self.ours.qty

    @property
    def opens(self) -> bool:
        """Say whether they hold more than we do, on the same side."""
        return self.ours.qty * self.theirs.qty >= 0 and abs(self.theirs.qty) > abs(self.ours.qty)


def stood_still(before: Iterable[ExecutionReport], after: Iterable[ExecutionReport]) -> bool:
    """Say whether two readings of orders and executions tell the same: nothing was traded between them."""
    return _signature(before) == _signature(after)


def _signature(reports: Iterable[ExecutionReport]) -> set[tuple[object, ...]]:
    return {(one.broker_order_id, one.exec_id, one.ord_status, one.cum_qty) for one in reports}


def strangers(
    reports: Iterable[ExecutionReport], cl_ord_ids: Collection[str], broker_order_ids: Collection[str]
) -> list[ExecutionReport]:
    """Return the orders that the desk knows neither by client order id nor by the broker's, in their order."""
    return [
        report
        for report in reports
        if report.cl_ord_id not in cl_ord_ids and report.broker_order_id not in broker_order_ids
    ]


def has_changed(ours: WorkingOrder, theirs: ExecutionReport) -> bool:
    """Say whether the broker shows something of an order that its row does not say.

    Which of the states of a working order it is in changes by the moment and is no difference. An order that was
    replaced says nothing any more of the one that has taken its place.
    """
    if theirs.ord_status is OrdStatus.REPLACED:
        return False
    if ours.ended or theirs.ord_status in _ENDED:
        return ours.ord_status != theirs.ord_status or _counts_less(ours, theirs)
    if _counts_less(ours, theirs):
        return True
    return ours.ord_status in _WAITING and theirs.ord_status not in _WAITING


def _counts_less(ours: WorkingOrder, theirs: ExecutionReport) -> bool:
    return theirs.cum_qty is not None and ours.cum_qty < theirs.cum_qty


def position_differences(
    ours: Mapping[str, Holding],
    theirs: Iterable[PositionReport],
    corporate_actions: Iterable[CorporateAction] = (),
) -> Iterator[PositionDifference]:
    """Yield the symbols of which the two do not hold the same quantity, by name."""
    there = {one.symbol: Holding(one.qty, one.qty * one.avg_px) for one in theirs}
    told = {one.symbol for one in corporate_actions}
    for symbol in sorted(ours.keys() | there.keys()):
        here, at_broker = ours.get(symbol, Holding()), there.get(symbol, Holding())
        if here.qty != at_broker.qty:
            counted_anew = (symbol in told and here.qty) or _same_cost(here, at_broker)
            why = Why.CORPORATE_ACTION if counted_anew else Why.UNEXPLAINED
            yield PositionDifference(symbol, here, at_broker, why)


def _same_cost(ours: Holding, theirs: Holding) -> bool:
    """Say whether both cost the same though they are not as many: what a split does, and no trade."""
    if ours.qty * theirs.qty <= 0 or not ours.cost:
        return False
    return abs(ours.cost - theirs.cost) <= abs(ours.cost) * SAME_COST


def adjusting_price(difference: PositionDifference, last_px: Decimal | None) -> Decimal | None:
    """Return at which price our books come to theirs; None where nothing tells.

    What is closed here is closed at the last price. What is opened costs what their cost is above ours, if that
    makes sense, since they show what they have paid.
    """
    if difference.opens:
        implied = (difference.theirs.cost - difference.ours.cost) / difference.qty
        return implied if implied > 0 else last_px
    return last_px if last_px is not None else difference.ours.avg_px


def cash_difference(*, base: Decimal, booked: Decimal, theirs: Decimal, tolerance: Decimal) -> Decimal | None:
    """Return how much more cash the broker shows than ``base`` and the fills explain; None within the tolerance."""
    difference = theirs - base - booked
    return None if abs(difference) <= tolerance else difference
