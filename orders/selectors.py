"""Reads that pages, API and the machinery share. Nothing here writes."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Now

from brokers.models import BrokerAccount
from brokers.types import OrdStatus, OrdType, Side
from orders.models import (
    Errand,
    Heartbeat,
    Order,
    OrderEvent,
    OrderRequest,
    Plan,
    Position,
    Strategy,
    Trader,
    WorkerLease,
)
from orders.rows import columns_of, fetch_joined, fetch_rows

FLEET_SILENCE_SECONDS = 20
SCHEDULE_SILENCE_SECONDS = 30

# --- the way in ---


STRATEGY_BY_TOKEN = f"""
SELECT {columns_of(Strategy, "strategy")}, {columns_of(User, "owner")}, {columns_of(Trader, "trader")},
       {columns_of(Plan, "plan")}
FROM orders_strategy AS strategy JOIN auth_user AS owner ON owner.id = strategy.user_id
LEFT JOIN orders_trader AS trader ON trader.user_id = owner.id LEFT JOIN orders_plan AS plan ON plan.id = trader.plan_id
WHERE strategy.token = %s
"""  # noqa: S608 - names of our own columns


def strategy_by_token(token: str) -> Strategy | None:
    """Return the strategy that this webhook token names, with its trader and plan, in one query."""
    if "\0" in token:
        return None  # a path may hold a NUL; PostgreSQL's text cannot, and would refuse the question
    for strategy, user, trader, plan in fetch_joined(
        (Strategy, User, Trader, Plan), STRATEGY_BY_TOKEN, [token]
    ):
        strategy.user = user
        if trader is not None:
            user.trader, trader.plan = trader, plan
        return cast(Strategy, strategy)
    return None


ACCOUNTS_OF_STRATEGY = f"""
SELECT {columns_of(BrokerAccount, "account")}
FROM orders_strategy_accounts AS traded JOIN brokers_brokeraccount AS account ON account.id = traded.brokeraccount_id
WHERE traded.strategy_id = %s ORDER BY account.id
"""  # noqa: S608 - names of our own columns


def accounts_of_strategy(strategy: Strategy) -> list[BrokerAccount]:
    """Return the accounts that this strategy trades, oldest first."""
    return fetch_rows(BrokerAccount, ACCOUNTS_OF_STRATEGY, [strategy.pk])


def first_order_of(strategy: Strategy, replay_key: str) -> uuid.UUID | None:
    """Return the id of the first order of the alert that used this replay key."""
    orders = Order.objects.filter(signal__strategy=strategy, signal__replay_key=replay_key)
    return orders.order_by("id").values_list("id", flat=True).first()


FLEET_IS_ALIVE = """
SELECT EXISTS (SELECT FROM orders_heartbeat WHERE part = 'fleet' AND at > now() - make_interval(secs => %s))
"""


def fleet_is_alive() -> bool:
    """Say whether any fleet has shown itself lately; without one no order would move."""
    with connection.cursor() as cursor:
        cursor.execute(FLEET_IS_ALIVE, [FLEET_SILENCE_SECONDS])
        return bool(cursor.fetchone()[0])


def schedule_is_alive() -> bool:
    """Say whether beat and the sweeps have done their work lately."""
    return Heartbeat.objects.filter(
        part=Heartbeat.Part.SCHEDULE, at__gt=Now() - dt.timedelta(seconds=SCHEDULE_SILENCE_SECONDS)
    ).exists()


HAS_LIVE_LEASE = """
SELECT EXISTS (SELECT FROM orders_workerlease WHERE user_id = %s AND expires_at > now())
"""


def has_live_lease(user_id: int) -> bool:
    """Say whether a worker may act for this trader right now, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(HAS_LIVE_LEASE, [user_id])
        return bool(cursor.fetchone()[0])


def net_position(account: BrokerAccount, symbol: str) -> Decimal:
    """Return the signed position in one symbol, by what the broker has told of fills."""
    held = Position.objects.filter(account=account, symbol=symbol).values_list("qty", flat=True).first()
    return Decimal(0) if held is None else held


def closing_quantity(account: BrokerAccount, symbol: str, side: Side, *, at_market: bool = False) -> Decimal:
    """Return what exits on this side may still close of the account's position; ``at_market``: market orders only.

    An exit that has ended but is still followed counts too: the broker told of fills that have not come yet. Not one
    that was refused: it is followed only in case that was not true, and must not keep the next exit from closing. Nor
    a protective exit: it is canceled before another is sent.
    """
    exits = _unfinished(account, symbol, side).filter(position_effect="CLOSE", leg="")
    return _left(exits.filter(ord_type=OrdType.MARKET) if at_market else exits)


def leaving_quantity(account: BrokerAccount, symbol: str, side: Side, *, at_market: bool = False) -> Decimal:
    """Return what of ``closing_quantity`` belongs to exits that are being canceled: most likely it stays open."""
    exits = _unfinished(account, symbol, side).filter(position_effect="CLOSE", leg="")
    canceled = OrderRequest.objects.filter(
        user=account.user_id, kind=OrderRequest.Kind.CANCEL, answered_at__isnull=True
    )
    exits = exits.filter(pk__in=canceled.values("order"))
    return _left(exits.filter(ord_type=OrdType.MARKET) if at_market else exits)


def entering_quantity(account: BrokerAccount, symbol: str, side: Side) -> Decimal:
    """Return what entries on this side may still add to the account's position."""
    return _left(_unfinished(account, symbol, side).filter(position_effect="OPEN"))


def has_unsized_entry(account: BrokerAccount, symbol: str, side: Side) -> bool:
    """Say whether an entry on this side is recorded whose quantity is found only when it is sent."""
    entries = _unfinished(account, symbol, side).filter(position_effect="OPEN")
    return entries.filter(ord_status=OrdStatus.INITIALIZED, order_qty=0).exists()


def _unfinished(account: BrokerAccount, symbol: str, side: Side) -> QuerySet[Order]:
    rows = Order.objects.filter(account=account, symbol=symbol, side=side, next_check_at__isnull=False)
    return rows.exclude(ord_status__in=[OrdStatus.DENIED, OrdStatus.REJECTED])


def _left(rows: QuerySet[Order]) -> Decimal:
    open_qty = Coalesce(Sum(F("order_qty") - F("cum_qty")), Decimal(0))
    return max(rows.aggregate(total=open_qty)["total"], Decimal(0))


# --- the worker ---

# What these and the sweeps ask for is said twice: by status, which is what is meant, and as not ended or not answered,
# which is the condition of the partial indexes. A prepared statement may be planned once for any status, and such a
# plan can use an index only where the condition stands in the statement itself.


@dataclass(frozen=True, slots=True)
class WorkAtHand:
    """Which kinds of work there are for a trader now. Asking costs a tenth of reading any of it."""

    requests: bool = False
    """A cancel or replace is due to be sent."""
    orders: bool = False
    """An order is recorded, or in flight with an unknown outcome."""
    checks: bool = False
    """The time has come to ask the broker about an order."""
    errands: bool = False
    """An errand is due."""


WORK_AT_HAND = """
SELECT EXISTS (SELECT FROM orders_orderrequest WHERE user_id = %(user)s AND status = 'RECORDED'
                  AND answered_at IS NULL
                  AND (eligible_at IS NULL OR eligible_at <= statement_timestamp())),
       EXISTS (SELECT FROM orders_order WHERE user_id = %(user)s AND next_check_at IS NOT NULL
                  AND ord_status IN ('INITIALIZED', 'SUBMITTED')),
       EXISTS (SELECT FROM orders_order WHERE user_id = %(user)s AND next_check_at <= statement_timestamp()
                  AND ord_status <> 'INITIALIZED'),
       EXISTS (SELECT FROM orders_errand WHERE user_id = %(user)s AND due_at <= statement_timestamp())
"""


def work_at_hand(user_id: int) -> WorkAtHand:
    """Return what there is to do for this trader now, in one round trip."""
    with connection.cursor() as cursor:
        cursor.execute(WORK_AT_HAND, {"user": user_id})
        return WorkAtHand(*cursor.fetchone())


UNSENT_ORDERS = """
SELECT DISTINCT ON (account_id, symbol, strategy_id,
                    CASE WHEN ord_status <> 'INITIALIZED' OR position_effect = 'CLOSE' THEN id END)
       id, cl_ord_id, account_id, symbol, ord_type, ord_status, position_effect, auto_exit, attempt, checks, epoch,
       eligible_at, received_at, recorded_at, strategy_id, sent_with_id, sizing, reason
FROM orders_order
WHERE user_id = %(user)s AND next_check_at IS NOT NULL AND ord_status IN ('INITIALIZED', 'SUBMITTED')
  AND NOT (ord_status = 'INITIALIZED' AND (id = ANY(%(leave_out)s) OR sent_with_id IS NOT NULL))
ORDER BY account_id, symbol, strategy_id,
         CASE WHEN ord_status <> 'INITIALIZED' OR position_effect = 'CLOSE' THEN id END, recorded_at, id
"""


def unsent_orders(user_id: int, *, leave_out: Collection[uuid.UUID] = ()) -> list[Order]:
    """Return this trader's orders that are recorded, or in flight with an unknown outcome, oldest first.

    Of the recorded entries of one strategy in one symbol only the oldest, since those behind it have to wait for it
    however many they are; never an exit less, nor one in flight. The stop of an OCO is sent with
    its other order. ``leave_out``: recorded orders to leave alone.
    Only the columns that the choice needs are read.
    """
    rows = fetch_rows(Order, UNSENT_ORDERS, {"user": user_id, "leave_out": list(leave_out)})
    return sorted(rows, key=lambda order: (order.recorded_at, order.id))


def unsent_requests(user_id: int) -> list[OrderRequest]:
    """Return this trader's cancels and replaces that are recorded and due to be sent, oldest first, cancels before."""
    rows = _unsent().filter(user=user_id)
    due = rows.filter(Q(eligible_at=None) | Q(eligible_at__lte=Now()))
    return list(due.select_related("order__account").defer("order__state").order_by("kind", "id"))


def errands_due(user_id: int) -> list[Errand]:
    """Return this trader's errands whose time has come, who has waited longest first."""
    return list(Errand.objects.filter(user=user_id, due_at__lte=Now()).order_by("due_at", "id"))


def has_undelivered_orders(user_id: int) -> bool:
    """Say whether a worker is needed for this trader at once: something is recorded and not sent, or due."""
    unsent = Order.objects.filter(user=user_id, ord_status=OrdStatus.INITIALIZED, next_check_at__isnull=False)
    if unsent.exists():
        return True
    return _has_unsent_requests(user_id) or Errand.objects.filter(user=user_id, due_at__lte=Now()).exists()


def _unsent() -> QuerySet[OrderRequest]:
    return OrderRequest.objects.filter(status=OrderRequest.Status.RECORDED, answered_at__isnull=True)


def _has_unsent_requests(user_id: int) -> bool:
    return _unsent().filter(user=user_id).exists()


def has_open_orders(user_id: int) -> bool:
    """Say whether this trader needs a worker now or later: an order or a request is not finished, or an errand."""
    if Order.objects.filter(user=user_id, next_check_at__isnull=False).exists():
        return True
    return _has_unsent_requests(user_id) or Errand.objects.filter(user=user_id).exists()


def users_with_open_orders(user_ids: Sequence[int]) -> set[int]:
    """Return those of these traders who have an order that is not finished, or an errand."""
    rows = Order.objects.filter(user__in=user_ids, next_check_at__isnull=False)
    errands = Errand.objects.filter(user__in=user_ids)
    return set(rows.values_list("user", flat=True).union(errands.values_list("user", flat=True)))


def orders_due(user_id: int) -> list[Order]:
    """Return this trader's orders at a broker whose time to be checked has come."""
    rows = Order.objects.filter(user=user_id, next_check_at__lte=Now())
    return list(rows.exclude(ord_status=OrdStatus.INITIALIZED).order_by("account", "recorded_at", "id"))


def orders_at_broker(account_id: uuid.UUID) -> list[Order]:
    """Return this account's orders that its broker has and that are not finished, due or not, oldest first."""
    rows = Order.objects.filter(account=account_id, next_check_at__isnull=False)
    elsewhere = [OrdStatus.INITIALIZED, OrdStatus.SUBMITTED, OrdStatus.DENIED, OrdStatus.REJECTED]
    return list(rows.exclude(ord_status__in=elsewhere).order_by("recorded_at", "id"))


NEXT_DUE = """
SELECT extract(epoch FROM least(
    (SELECT min(CASE WHEN ord_status = 'INITIALIZED' THEN greatest(eligible_at, recorded_at) ELSE next_check_at END)
     FROM orders_order WHERE user_id = %(user)s AND next_check_at IS NOT NULL
       AND NOT (ord_status = 'INITIALIZED' AND sent_with_id IS NOT NULL)),
    (SELECT min(coalesce(eligible_at, recorded_at))
     FROM orders_orderrequest WHERE user_id = %(user)s AND status = 'RECORDED' AND answered_at IS NULL),
    (SELECT min(due_at) FROM orders_errand WHERE user_id = %(user)s)
) - now())
"""


def next_due_at(user_id: int) -> float | None:
    """Return in how many seconds something of this trader's is due, by the database's clock; None: never.

    The stop of an OCO that is not sent is due with the order that it is sent with.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEXT_DUE, {"user": user_id})
        (seconds,) = cursor.fetchone()
    return None if seconds is None else max(float(seconds), 0.0)


# --- the sweeps ---


USERS_DUE = """
SELECT user_id FROM (
    SELECT user_id, greatest(next_check_at, eligible_at) AS since
    FROM orders_order WHERE next_check_at <= now()
    UNION ALL
    SELECT user_id, greatest(eligible_at, recorded_at)
    FROM orders_orderrequest
    WHERE status = 'RECORDED' AND answered_at IS NULL
      AND greatest(eligible_at, recorded_at) <= now() - make_interval(secs => %(waited)s)
    UNION ALL
    SELECT user_id, due_at FROM orders_errand
    WHERE due_at <= now() AND (kind = ANY(%(urgent)s) OR user_id IN (
        SELECT user_id FROM orders_workerlease WHERE expires_at > now()))
) AS due
GROUP BY user_id ORDER BY min(since), user_id LIMIT %(limit)s
"""


def users_with_due_orders(limit: int = 1000) -> list[int]:
    """Return the traders of whom an unfinished order is due to be looked at, who has waited longest first.

    Those whose order waits for its time (for the market to open, say) come last, or they would hide the others.
    An errand that is not urgent counts where a worker is there for it. Reads only the partial indexes of unfinished
    orders and of open requests, so it costs the same however many have ended.
    """
    with connection.cursor() as cursor:
        urgent = [str(kind) for kind in Errand.URGENT]
        values: dict[str, Any] = {"waited": settings.UNDELIVERED_SECONDS, "limit": limit, "urgent": urgent}
        cursor.execute(USERS_DUE, values)
        return [user_id for (user_id,) in cursor.fetchall()]


def users_with_patient_errands(limit: int) -> list[int]:
    """Return the traders whom no live lease covers, and for whom there is only to be done what can wait for room in
    the fleet; who has waited longest first.
    """
    covered = WorkerLease.objects.filter(user=OuterRef("user"), expires_at__gt=Now())
    due = Errand.objects.filter(due_at__lte=Now()).exclude(kind__in=Errand.URGENT).exclude(Exists(covered))
    waiting = due.values("user").annotate(since=Min("due_at")).order_by("since", "user")
    return list(waiting.values_list("user", flat=True)[:limit])


def users_without_worker(limit: int = 1000) -> list[int]:
    """Return the traders who have unfinished orders or urgent errands that are due, and whom no live lease covers."""
    covered = WorkerLease.objects.filter(user=OuterRef("user"), expires_at__gt=Now())
    unfinished = Order.objects.filter(next_check_at__isnull=False).exclude(Exists(covered))
    errands = Errand.objects.filter(due_at__lte=Now(), kind__in=Errand.URGENT).exclude(Exists(covered))
    users = unfinished.order_by().values_list("user", flat=True).union(errands.values_list("user", flat=True))
    return list(users.order_by("user")[:limit])


# --- people ---


ORDERS_BY_ID = f"SELECT {columns_of(Order)} FROM orders_order WHERE id = ANY(%s) ORDER BY id"  # noqa: S608 - our names


def orders_as_they_stand(orders: Iterable[Order]) -> list[Order]:
    """Read these orders again, oldest first."""
    return fetch_rows(Order, ORDERS_BY_ID, [[order.id for order in orders]])


def timeline_of(order: Order) -> list[OrderEvent]:
    """Return everything that happened to the order, in order."""
    return list(order.events.order_by("id"))


def database_is_alive() -> bool:
    """Ask the database for an answer; raises ``django.db.Error`` where it has none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))
