"""When an account is compared with its broker: each occasion writes the errand, the trader's worker does it.

| occasion | who asks |
|---|---|
| every ``RECONCILE_SECONDS``; 18:00 and 18:15 by the exchange's clock | the sweep, for accounts that have something |
| a trader's worker begins | that worker, for accounts that have something |
| the stream was interrupted | the stream |
| a report of an order that the desk did not send | the door for a broker's facts |
| somebody wants to know now | page, API, admin |
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from brokers.models import BrokerAccount
from failpoints import failpoint
from orders.hours import hours_of
from orders.models import AccountHalt, Errand, Order, Position, ReconciliationRun
from orders.reconciliation import last_mark
from orders.services.errands import write_errand

KIND = Errand.Kind.RECONCILE
RECENT = dt.timedelta(days=2)
"""So long an account is looked at after its last fill, for what comes late or from outside."""


def ask_now(account: BrokerAccount) -> None:
    """Have the account compared now, because somebody wants to know; ring for its trader afterwards."""
    write_errand(user_id=account.user_id, account_id=account.pk, kind=KIND)
    failpoint("reconcile.asked_for")


def ask_at_start(user_id: int) -> int:
    """Have this trader's accounts compared that have something, since nobody has listened; return how many."""
    accounts = list(_with_something(BrokerAccount.objects.filter(user=user_id)))
    for account in accounts:
        ask_now(account)
    return len(accounts)


def ask_after_gap(account_id: uuid.UUID) -> None:
    """Have the account compared after an interruption of its stream."""
    ask_now(BrokerAccount.objects.get(pk=account_id))


def ask_due(*, now: dt.datetime | None = None) -> None:
    """Have those accounts compared whose time has come.

    An account is due where its last comparison began too long ago, or before the last of the moments after the
    exchange's close. One that waits for its comparing already is left alone, however long.
    """
    now = now or timezone.now()
    oldest = now - dt.timedelta(seconds=settings.RECONCILE_SECONDS)
    for account in [one for one in _waiting_for_none() if _is_due(one, now, oldest)]:
        ask_now(account)


def _is_due(account: BrokerAccount, now: dt.datetime, oldest: dt.datetime) -> bool:
    last: dt.datetime | None = account.compared_at  # type: ignore[attr-defined]
    if last is None or last <= oldest:
        return True
    mark = last_mark(hours_of(account.trades_on), now)
    return mark is not None and last < mark


def _waiting_for_none() -> Iterable[BrokerAccount]:
    waiting = Errand.objects.filter(account=OuterRef("pk"), kind=KIND)
    runs = ReconciliationRun.objects.filter(account=OuterRef("pk"), finished_at__isnull=False)
    last = runs.order_by("-id").values("started_at")[:1]
    accounts = _with_something(BrokerAccount.objects.exclude(Exists(waiting)))
    return accounts.annotate(compared_at=Subquery(last)).order_by("user", "pk")


def _with_something(accounts: QuerySet[BrokerAccount]) -> QuerySet[BrokerAccount]:
    """Keep accounts with an open order, a position, a halt, or a fill of late.

    Reads only what is unfinished, and positions: it costs the same however many orders have ended.
    """
    open_orders = Order.objects.filter(
        user=OuterRef("user"), account=OuterRef("pk"), next_check_at__isnull=False
    )
    positions = Position.objects.filter(account=OuterRef("pk"))
    lately = Q(updated_at__gte=timezone.now() - RECENT)
    halts = AccountHalt.objects.filter(account=OuterRef("pk"), lifted_at__isnull=True)
    return accounts.filter(
        Exists(open_orders) | Exists(positions.filter(~Q(qty=0) | lately)) | Exists(halts)
    ).defer("sealed_credentials")
