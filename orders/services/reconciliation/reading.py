"""Read a broker's books of one account so that they belong together."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.types import ExecutionReport
from failpoints import failpoint
from orders.reconciliation import TheirBooks, stood_still

READINGS = 3
"""So often it is read before the comparing of positions and cash is left to another run."""


def read_their_books(adapter: BrokerAdapter, *, since: dt.datetime) -> TheirBooks:
    """Read orders and executions, then positions and cash, then the first two once more.

    No broker gives all of them as of one moment. Where orders and executions are the same before and after,
    positions and cash are what they have made; a fill in flight shows as a change, and all is read again. Changes
    nothing; called outside of transactions. Raises what the adapter raises.
    """
    failpoint("reconcile.before")
    orders, executions = adapter.list_orders(since=since), adapter.list_executions(since=since)
    is_settled = False
    for _ in range(READINGS):
        read_at = timezone.now()
        positions, account = adapter.list_positions(), adapter.account()
        before: list[ExecutionReport] = [*orders, *executions]
        orders, executions = adapter.list_orders(since=since), adapter.list_executions(since=since)
        is_settled = stood_still(before, [*orders, *executions])
        if is_settled:
            break
    corporate_actions = adapter.list_corporate_actions(since=since)
    failpoint("reconcile.read")
    return TheirBooks(
        since=since,
        read_at=read_at,
        orders=tuple(orders),
        executions=tuple(executions),
        positions=tuple(positions),
        corporate_actions=tuple(corporate_actions),
        cash=account.cash,
        is_settled=is_settled,
    )
