"""Which executions of an order count: trades, corrections and busts, chained by exec id.

Brokers repeat reports and deliver them out of order, so each function gives the same surviving fills
whichever order one trade, its chain of corrections and its bust arrive in. Each exec id is in one of
four places: the fill that it makes, the chain of the fill that corrected it, ``retired``, or unseen.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from orders.state.model import ARITHMETIC, Fill, OrderState


def add_trade(state: OrderState, fill: Fill) -> OrderState:
    """Count a fill, unless its exec id was seen: counted, corrected away, or busted."""
    if fill.exec_id in state.retired or _holder(state, fill.exec_id) is not None:
        return state
    return replace(state, fills=(*state.fills, fill))


def correct_trade(state: OrderState, fill: Fill, exec_ref_id: str) -> OrderState:
    """Put ``fill`` in the place of the execution that ``exec_ref_id`` names.

    The reference may name the execution as first reported or any correction of it. A correction
    that comes before what it corrects counts at once; the late original then finds itself superseded.
    Where a broker gives the correction the id of what it corrects, the latest report counts.
    """
    if fill.exec_id in state.retired or exec_ref_id in state.retired:
        # Its own bust came first, or what it corrects was busted: a bust is the last word.
        return _retire(state, (fill.exec_id, exec_ref_id))
    newer = _holder(state, fill.exec_id)
    if newer is not None:
        if newer.exec_id == fill.exec_id == exec_ref_id:
            return _put(state, newer, replace(fill, supersedes=newer.supersedes))
        return _link(state, newer, exec_ref_id)
    older = _holder(state, exec_ref_id)
    if older is None:
        chain = () if exec_ref_id == fill.exec_id else (exec_ref_id,)
        return replace(state, fills=(*state.fills, replace(fill, supersedes=chain)))
    return _put(state, older, replace(fill, supersedes=(older.exec_id, *older.supersedes)))


def bust_trade(state: OrderState, exec_ref_id: str) -> OrderState:
    """Strike out the execution that ``exec_ref_id`` names, with all its corrections."""
    return _retire(state, (exec_ref_id,))


def split_fills(state: OrderState, numerator: Decimal, denominator: Decimal) -> OrderState:
    """Restate each fill for a split of ``numerator`` new shares for ``denominator`` old ones."""
    fills = tuple(
        replace(
            fill,
            last_qty=ARITHMETIC.divide(ARITHMETIC.multiply(fill.last_qty, numerator), denominator),
            last_px=ARITHMETIC.divide(ARITHMETIC.multiply(fill.last_px, denominator), numerator),
        )
        for fill in state.fills
    )
    return replace(state, fills=fills)


def _holder(state: OrderState, exec_id: str) -> Fill | None:
    """Find the surviving fill that this exec id made or was corrected into."""
    for fill in state.fills:
        if fill.exec_id == exec_id or exec_id in fill.supersedes:
            return fill
    return None


def _put(state: OrderState, old: Fill, new: Fill) -> OrderState:
    return replace(state, fills=tuple(new if fill is old else fill for fill in state.fills))


def _link(state: OrderState, newer: Fill, exec_ref_id: str) -> OrderState:
    """Tie a late link of a chain: ``newer`` also supersedes what ``exec_ref_id`` names."""
    older = _holder(state, exec_ref_id)
    if older is newer:
        return state
    below = (exec_ref_id,) if older is None else (older.exec_id, *older.supersedes)
    linked = replace(newer, supersedes=(*newer.supersedes, *below))
    remaining = replace(state, fills=tuple(fill for fill in state.fills if fill is not older))
    return _put(remaining, newer, linked)


def _retire(state: OrderState, exec_ids: tuple[str, ...]) -> OrderState:
    retired = list(state.retired)
    fills = state.fills
    for exec_id in exec_ids:
        holder = _holder(state, exec_id)
        chain = (exec_id,) if holder is None else (holder.exec_id, *holder.supersedes)
        fills = tuple(kept for kept in fills if kept is not holder)
        retired.extend(name for name in chain if name not in retired)
    return replace(state, fills=fills, retired=tuple(retired))
