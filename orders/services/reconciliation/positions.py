"""Compare positions, and have ours follow the broker's where nothing explains the difference.

Nothing is booked on a first sight: a fill in flight looks the same. A difference is booked where

1. the broker's books stood still while they were read (``reading``),
2. the desk has no execution in the symbol that this reading does not show,
3. no order of the desk's in the symbol is in flight, and
4. the run before has found the same difference, to the last digit, under the same conditions.

A split or another corporate action is never booked: a person says what is to become of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto

import structlog
from django.db import transaction

from brokers.base import BrokerAdapter
from brokers.errors import BrokerError
from brokers.types import OrdStatus
from failpoints import failpoint
from orders.models import Execution, Order, Position, ReconciliationFinding, ReconciliationRun
from orders.reconciliation import (
    Holding,
    PositionDifference,
    TheirBooks,
    Why,
    adjusting_price,
    position_differences,
)
from orders.services.changes import Origin
from orders.services.executions import Applied
from orders.services.leases import Fence, hold_lease
from orders.services.positions import lock_position
from orders.services.reconciliation.booking import BOOKED_PREFIX, book_difference
from orders.services.reconciliation.findings import Kind, note_open, plain, settle_gone
from orders.services.retrying import retried

log = structlog.get_logger(__name__)

AHEAD = dt.timedelta(seconds=60)
RUNS_BEFORE_BOOKING = 2


class Moved(Enum):
    SINCE = auto()  # a fill came in between


@dataclass
class Compared:
    """What became of comparing an account's positions."""

    applied: list[Applied] = field(default_factory=list)
    moving: frozenset[str] = frozenset()
    """Symbols that could not be compared because something in them was under way."""
    unconfirmed: bool = False
    """A difference was seen for the first time: another run is to say whether it stays."""


def compare_positions(
    run: ReconciliationRun, books: TheirBooks, *, adapter: BrokerAdapter, fence: Fence
) -> Compared:
    """Compare every symbol; note what differs, book what may be booked. The broker's books have stood still."""
    ours = _ours(run)  # before what moves: what comes in between is either seen there or found under the lock
    compared = Compared(moving=moving_symbols(run, books))
    for difference in position_differences(ours, books.positions, books.corporate_actions):
        if difference.symbol in compared.moving:
            continue
        last_px = _last_px(adapter, difference) if difference.why is Why.UNEXPLAINED else None
        outcome = _judge(run, difference, last_px, fence)
        if outcome is Moved.SINCE:
            compared.moving |= {difference.symbol}
        elif isinstance(outcome, Applied):
            compared.applied.append(outcome)
        elif outcome is not None and outcome.kind == Kind.POSITION_DIFFERS:
            compared.unconfirmed = compared.unconfirmed or outcome.runs_seen < RUNS_BEFORE_BOOKING
    settle_gone(run, Kind.POSITION_DIFFERS, Kind.CORPORATE_ACTION, left_out=compared.moving)
    return compared


def moving_symbols(run: ReconciliationRun, books: TheirBooks) -> frozenset[str]:
    """Return the symbols in which the desk has an execution that the broker did not show, or an order in flight."""
    shown = [fill.exec_id for fill in books.executions]
    recent = Execution.objects.filter(account=run.account_id, recorded_at__gte=books.read_at - AHEAD)
    ahead = recent.exclude(exec_id__in=shown).exclude(exec_id__startswith=BOOKED_PREFIX)
    in_flight = Order.objects.filter(
        account=run.account_id, ord_status=OrdStatus.SUBMITTED, next_check_at__isnull=False
    )
    return frozenset([*ahead.values_list("symbol", flat=True), *in_flight.values_list("symbol", flat=True)])


def _ours(run: ReconciliationRun) -> dict[str, Holding]:
    rows = Position.objects.filter(account=run.account_id).exclude(qty=0)
    return {symbol: Holding(qty, cost) for symbol, qty, cost in rows.values_list("symbol", "qty", "cost")}


@retried
def _judge(
    run: ReconciliationRun, difference: PositionDifference, last_px: Decimal | None, fence: Fence
) -> Applied | ReconciliationFinding | Moved | None:
    """Note one difference, or book it; None where an operator has accepted it."""
    with transaction.atomic():
        hold_lease(fence)
        position = lock_position(run.user_id, run.account_id, difference.symbol)
        if (position.qty, position.cost) != (difference.ours.qty, difference.ours.cost):
            return Moved.SINCE
        finding = _note(run, difference)
        price = adjusting_price(difference, last_px)
        outcome: Applied | ReconciliationFinding | None = finding
        if finding is not None and _is_confirmed(run, finding) and price is not None:
            outcome = book_difference(finding, run.pk, price, Origin("reconciliation", fence))
        failpoint("reconcile.position.before_commit")
    failpoint("reconcile.position.after_commit")
    return outcome


def _note(run: ReconciliationRun, difference: PositionDifference) -> ReconciliationFinding | None:
    is_split = difference.why is Why.CORPORATE_ACTION
    return note_open(
        run,
        Kind.CORPORATE_ACTION if is_split else Kind.POSITION_DIFFERS,
        symbol=difference.symbol,
        ours=_words(difference.ours),
        theirs=_words(difference.theirs),
        quantities=(difference.ours.qty, difference.theirs.qty),
        done="entries of the account are halted; an operator says what is to become of it"
        if is_split
        else "entries of the account are halted; booked if the next run finds the same",
    )


def _is_confirmed(run: ReconciliationRun, finding: ReconciliationFinding) -> bool:
    """Say whether this is the second run in a row that found it."""
    if finding.kind != Kind.POSITION_DIFFERS or finding.runs_seen < RUNS_BEFORE_BOOKING:
        return False
    return finding.run_id < run.pk


def _last_px(adapter: BrokerAdapter, difference: PositionDifference) -> Decimal | None:
    """Return the last known price: the middle of the quote, one side of it, else what the broker's position costs."""
    try:
        quote = adapter.quote(difference.symbol)
        failpoint("reconcile.quoted")
    except BrokerError as error:
        log.warning("no quote to close at", symbol=difference.symbol, error=str(error))
        return difference.theirs.avg_px
    sides = [side for side in (quote.bid_px, quote.ask_px) if side is not None]
    return sum(sides, Decimal(0)) / len(sides) if sides else difference.theirs.avg_px


def _words(holding: Holding) -> str:
    if holding.avg_px is None:
        return "none"
    return f"{plain(holding.qty)} at {plain(round(holding.avg_px, 6))}"
