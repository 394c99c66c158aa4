"""Compare one account with its broker: the errand of the trader's worker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.models import BrokerAccount
from failpoints import failpoint
from orders.hours import hours_of
from orders.models import Errand, ReconciliationRun
from orders.reconciliation import TheirBooks, last_mark
from orders.services.errands import defer_errand
from orders.services.executions import Applied
from orders.services.leases import Fence, hold_lease
from orders.services.reconciliation.cash import compare_cash
from orders.services.reconciliation.exits import cancel_left_exits
from orders.services.reconciliation.facts import take_changed_orders, take_missed_fills
from orders.services.reconciliation.halts import settle_halt
from orders.services.reconciliation.outside import take_outside_orders
from orders.services.reconciliation.positions import compare_positions
from orders.services.reconciliation.reading import read_their_books
from orders.services.retrying import retried
from orders.services.verification import SINCE_MARGIN

LATE = dt.timedelta(days=1)
"""So far back the first comparison after the close of a day looks for fills that were told late."""
MOVING_SECONDS = 30.0
"""After so long an account is compared once more in which something was under way."""


def reconcile_account(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Compare the account's orders, executions, positions and cash with the broker's; return what was applied.

    1. Read the broker's books, outside of transactions.
    2. Record what the desk did not send, apply what it has missed: each in a transaction with its finding.
    3. Where the broker's books stood still: compare positions and cash, cancel exits of what is flat.
    4. Halt the account's entries while something is open, or let them go on.

    Everything is found from the database alone: a worker that dies leaves it to the next run, and a second run
    changes nothing. What was moving, or seen for the first time, is looked at once more, soon. Raises ``NotSent``
    or ``OutcomeUnknown`` where the broker gives no answer.
    """
    account = BrokerAccount.objects.get(pk=errand.account_id)
    books = read_their_books(adapter, since=_since(account))
    run = _begin(account, books, fence)
    applied = take_outside_orders(run, books, adapter=adapter, fence=fence)
    applied += take_missed_fills(run, books, fence)
    applied += take_changed_orders(run, books, adapter=adapter, fence=fence)
    pause_seconds: float | None = MOVING_SECONDS
    if books.is_settled:
        compared = compare_positions(run, books, adapter=adapter, fence=fence)
        applied += compared.applied
        cancel_left_exits(run, books, moving=compared.moving, fence=fence)
        pause_seconds = _pause_seconds(unconfirmed=compared.unconfirmed, moving=bool(compared.moving))
    _finish(run, books, fence, errand, pause_seconds)
    return applied


def _pause_seconds(*, unconfirmed: bool, moving: bool) -> float | None:
    """Return how soon the account is to be compared once more; None where that is not needed."""
    if unconfirmed:
        return settings.RECONCILE_AGAIN_SECONDS
    return MOVING_SECONDS if moving else None


def _since(account: BrokerAccount) -> dt.datetime:
    """Return from when on the broker is asked: the last comparison, with a margin; once a day further back.

    Never from before the desk knew the account: what was traded then is in the positions that are booked.
    """
    first = account.created_at - SINCE_MARGIN
    last = (
        ReconciliationRun.objects.filter(account=account, finished_at__isnull=False).order_by("-id").first()
    )
    if last is None:
        return first
    mark = last_mark(hours_of(account.trades_on), timezone.now())
    reach = last.started_at - SINCE_MARGIN
    if mark is not None and last.started_at < mark:
        reach = min(reach, mark - LATE)
    return max(first, reach)


@retried
def _begin(account: BrokerAccount, books: TheirBooks, fence: Fence) -> ReconciliationRun:
    with transaction.atomic():
        hold_lease(fence)
        run = ReconciliationRun.objects.create(
            user_id=account.user_id,
            account=account,
            worker=fence.worker,
            epoch=fence.epoch,
            since=books.since,
            started_at=books.read_at,
            is_settled=books.is_settled,
            orders_seen=len(books.orders),
            executions_seen=len(books.executions),
            positions_seen=len(books.positions),
        )
        failpoint("reconcile.begin.before_commit")
    failpoint("reconcile.begin.after_commit")
    return run


@retried
def _finish(
    run: ReconciliationRun, books: TheirBooks, fence: Fence, errand: Errand, pause_seconds: float | None
) -> None:
    with transaction.atomic():
        hold_lease(fence)
        if books.is_settled:
            compare_cash(run, books)
        settle_halt(user_id=run.user_id, account_id=run.account_id, label=run.account.label)
        run.finished_at = timezone.now()
        run.save(update_fields=["finished_at", "broker_cash", "booked_cash", "is_cash_base"])
        if pause_seconds is not None:
            defer_errand(errand, pause_seconds)
        failpoint("reconcile.finish.before_commit")
    failpoint("reconcile.finish.after_commit")
