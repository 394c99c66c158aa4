"""Which executions stand after corrections and busts, by the same rules as an order's own fills.

The rules are those of ``orders.state.fills``, run over each order's executions, so that a position and its
orders never count differently.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from brokers.types import ExecType, Side
from orders.positions.amounts import ZERO
from orders.positions.fills import Fill
from orders.state.fills import add_trade, bust_trade, correct_trade
from orders.state.model import Fill as Counted
from orders.state.model import OrderState


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One recorded execution: a trade, a correction or a bust, as it was reported."""

    exec_id: str  # once per account
    exec_ref_id: str  # what a correction or a bust speaks of; empty on a trade
    exec_type: str  # TRADE, TRADE_CORRECT or TRADE_CANCEL
    order_id: UUID
    side: str
    last_qty: Decimal
    last_px: Decimal
    transact_time: datetime  # aware UTC
    fee: Decimal = ZERO


_place = attrgetter("transact_time", "exec_id")


def surviving(executions: Iterable[ExecutionRow]) -> list[Fill]:
    """Return the fills that stand, in the order (at, exec_id), whatever order the executions come in.

    A correction takes the terms from its own row and the time from the trade that it corrects, however long the
    chain; until that trade is known it stands at its own. Where two correct one and the same, the later counts.
    A bust takes out the whole chain, also before the trade has come. A correction to nothing leaves nothing.
    Raises ValueError for a row of another type.
    """
    rows = sorted(executions, key=attrgetter("order_id"))
    fills = [fill for _, of_order in groupby(rows, attrgetter("order_id")) for fill in _standing(of_order)]
    return sorted(fills, key=attrgetter("place"))


def _standing(rows: Iterable[ExecutionRow]) -> list[Fill]:
    """Return what stands of one order's executions."""
    by_id = {row.exec_id: row for row in rows}
    state = OrderState(ZERO)
    for row in sorted(by_id.values(), key=_place):
        state = _count(state, row)
    return [_fill(counted, by_id) for counted in state.fills if counted.last_qty]


def _count(state: OrderState, row: ExecutionRow) -> OrderState:
    counted = Counted(row.exec_id, row.last_qty, row.last_px)
    match ExecType(row.exec_type):
        case ExecType.TRADE:
            return add_trade(state, counted)
        case ExecType.TRADE_CORRECT:
            return correct_trade(state, counted, row.exec_ref_id)
        case ExecType.TRADE_CANCEL:
            return bust_trade(state, row.exec_ref_id)
    raise ValueError(f"execution {row.exec_id} is a {row.exec_type}")


def _fill(counted: Counted, by_id: dict[str, ExecutionRow]) -> Fill:
    row = by_id[counted.exec_id]
    chain = [by_id[exec_id] for exec_id in (counted.exec_id, *counted.supersedes) if exec_id in by_id]
    first = min(chain, key=lambda link: (link.exec_type != ExecType.TRADE, *_place(link)))
    return Fill(
        row.exec_id, row.order_id, Side(row.side), row.last_qty, row.last_px, first.transact_time, row.fee
    )
