"""The comparison itself: rows in, report out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from brokers.paper.ledger import LedgerView, VenueHolding, VenueOrder
from brokers.types import OrdStatus
from orders.ledger.rows import DeskFill, DeskHolding, DeskOrder, Finding, Report
from orders.reconciliation.books import BOOKED

GRACE = timedelta(seconds=60)
"""How long an order may be recorded and not sent before it counts as lost."""

AVG_PX_TOLERANCE = Decimal("0.00000001")

# Which of its states a working order is in differs for moments; whether it works does not.
_WORKING = "working"
_DESK_PHASES: Mapping[str, str] = {
    OrdStatus.PENDING_NEW: _WORKING,
    OrdStatus.NEW: _WORKING,
    OrdStatus.PARTIALLY_FILLED: _WORKING,
    OrdStatus.PENDING_CANCEL: _WORKING,
    OrdStatus.PENDING_REPLACE: _WORKING,
    OrdStatus.STOPPED: _WORKING,
    OrdStatus.SUSPENDED: _WORKING,
}
_VENUE_PHASES: Mapping[str, str] = dict.fromkeys(
    (
        "accepted",
        "accepted_for_bidding",
        "calculated",
        "held",
        "new",
        "partially_filled",
        "pending_cancel",
        "pending_new",
        "pending_replace",
        "stopped",
        "suspended",
    ),
    _WORKING,
)


class _Kind(StrEnum):
    EXPLAINED = "explained"
    LOST = "lost"
    DUPLICATED = "duplicated"
    UNEXPLAINED = "unexplained"
    INDETERMINATE = "indeterminate"


def compare(
    desk: Sequence[DeskOrder], holdings: Sequence[DeskHolding], venue: LedgerView, *, now: datetime
) -> Report:
    """Compare the desk's orders and positions with what the exchange has accepted in the same accounts."""
    there = venue.by_client_order_id()
    found: dict[_Kind, list[Finding]] = {kind: [] for kind in _Kind}
    at_venue = 0
    for order in desk:
        chain = [there.pop((order.account_id, link), []) for link in (order.cl_ord_id, *order.links)]
        found_there = any(chain)
        at_venue += found_there
        verdict = _present(order, chain) if found_there else _absent(order, now)
        if verdict is not None:
            kind, why = verdict
            matches = [one for link in chain for one in link]
            found[kind].append(Finding(order.order_id, order.cl_ord_id, _ids(matches), why))
    for (_, cl_ord_id), strangers in there.items():
        why = "the desk has no such order in this account"
        found[_Kind.UNEXPLAINED] += [Finding("", cl_ord_id, one.broker_order_id, why) for one in strangers]
    return Report(
        accepted=len(desk),
        at_venue=at_venue,
        explained=len(found[_Kind.EXPLAINED]),
        lost=tuple(found[_Kind.LOST]),
        duplicated=tuple(found[_Kind.DUPLICATED]),
        unexplained=tuple(found[_Kind.UNEXPLAINED]),
        indeterminate=tuple(found[_Kind.INDETERMINATE]),
        positions=tuple(_unlike(holdings, venue.holdings, "qty")),
        cash=tuple(_unlike(holdings, venue.holdings, "cash")),
    )


def _unlike(desk: Sequence[DeskHolding], venue: Sequence[VenueHolding], what: str) -> Iterator[Finding]:
    """Find the symbols of accounts of which this is not the same here and there; nothing is zero."""
    here = {(one.account_id, one.symbol): getattr(one, what) for one in desk}
    there = {(one.account_id, one.symbol): getattr(one, what) for one in venue}
    for account_id, symbol in sorted(here.keys() | there.keys()):
        ours, theirs = (side.get((account_id, symbol), Decimal(0)) for side in (here, there))
        if ours != theirs:
            yield Finding("", "", "", f"{symbol} in account {account_id}: {ours:f} here, {theirs:f} there")


Verdict = tuple[_Kind, str]


def _ids(orders: Iterable[VenueOrder]) -> str:
    return " ".join(order.broker_order_id for order in orders)


def _absent(order: DeskOrder, now: datetime) -> Verdict:
    """Judge an order that the exchange has never accepted."""
    status = order.ord_status
    if status == OrdStatus.SUBMITTED:
        return _Kind.INDETERMINATE, "sent, or about to be; the outcome is not known"
    if status == OrdStatus.INITIALIZED:
        return _waiting(order, now)
    # Only what the exchange has accepted gets an id there.
    if order.broker_order_id:
        return _Kind.LOST, f"{status} with the exchange's id, and the exchange has no such order"
    if order.reason == BOOKED:
        return _Kind.EXPLAINED, "booked by comparing with the broker, never sent"
    if status == OrdStatus.CANCELED or (status in (OrdStatus.DENIED, OrdStatus.REJECTED) and order.reason):
        return _Kind.EXPLAINED, f"{status} {order.reason}"
    return _Kind.LOST, f"{status}, and the exchange has no such order"


def _waiting(order: DeskOrder, now: datetime) -> Verdict:
    if order.eligible_at is not None and order.eligible_at > now:
        if order.eligible_at - now > GRACE:
            return _Kind.EXPLAINED, f"held back until {order.eligible_at:%Y-%m-%d %H:%M:%S} UTC"
        return _Kind.INDETERMINATE, "was not sent, and is about to be tried again"
    age = now - order.recorded_at
    if age <= GRACE:
        return _Kind.INDETERMINATE, "recorded, not sent yet"
    return _Kind.LOST, f"recorded {age.total_seconds():.0f} s ago, and neither sent nor explained"


def _present(order: DeskOrder, chain: Sequence[Sequence[VenueOrder]]) -> Verdict | None:
    """Judge an order that the exchange has, with what replaced it there; None where both agree."""
    most = max(len(matches) for matches in chain)
    if most > 1:
        return _Kind.DUPLICATED, f"{most} orders at the exchange"
    there = _as_one([matches[0] for matches in chain if matches])
    if order.ord_status == OrdStatus.SUBMITTED:
        return _Kind.INDETERMINATE, f"the exchange has it ({there.status}), the desk does not know yet"
    differences = list(_differences(order, there))
    return (_Kind.UNEXPLAINED, "; ".join(differences)) if differences else None


def _as_one(chain: Sequence[VenueOrder]) -> VenueOrder:
    """Return the last order of a chain of replaces, with the fills of all: there they are one order's, as here."""
    return replace(chain[-1], fills=tuple(fill for order in chain for fill in order.fills))


def _differences(order: DeskOrder, there: VenueOrder) -> Iterable[str]:
    pairs = (
        ("status", _desk_phase(order.ord_status), _venue_phase(there.status)),
        ("broker_order_id", order.broker_order_id, there.broker_order_id),
        ("symbol", order.symbol, there.symbol),
        ("side", order.side.lower(), there.side),
        ("order_qty", order.order_qty, there.qty),
        ("cum_qty", order.cum_qty, there.filled_qty),
    )
    for name, ours, theirs in pairs:
        if ours != theirs:
            yield f"{name}: {ours} here, {theirs} there"
    if not _same_price(order.avg_px, there.avg_price):
        yield f"avg_px: {order.avg_px} here, {there.avg_price} there"
    fills = {DeskFill(fill.execution_id, fill.qty, fill.price) for fill in there.fills}
    if order.fills != fills:
        yield f"fills: {len(order.fills - fills)} only here, {len(fills - order.fills)} only there"


def _desk_phase(ord_status: str) -> str:
    return _DESK_PHASES.get(ord_status, str(ord_status).lower())


def _venue_phase(status: str) -> str:
    return _VENUE_PHASES.get(status, status)


def _same_price(ours: Decimal | None, theirs: Decimal | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) <= AVG_PX_TOLERANCE
