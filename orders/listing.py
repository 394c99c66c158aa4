"""Lists of one trader's own rows, for pages. Nothing here writes."""

from __future__ import annotations

import uuid
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import OrdStatus
from orders.models import Order, OrderRequest, Signal, Strategy, Trader
from orders.paging import RowPage, page_of

OUTCOME_UNKNOWN_AFTER = timedelta(seconds=5)
"""How long an order may be ``SUBMITTED`` before a page says that its outcome is unknown."""

OPEN_REQUESTS = Prefetch(
    "requests",
    OrderRequest.objects.filter(status__in=OrderRequest.OPEN).order_by("kind", "id"),
    to_attr="open_requests",
)
"""Gives each order its ``open_requests``: the cancel first, then the replace."""

UTC = zoneinfo.ZoneInfo("UTC")


class StatusGroup(StrEnum):
    """What a trader asks for when they ask for orders."""

    ALL = "all"
    OPEN = "open"
    FILLED = "filled"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilters:
    """Which orders to list; None and the empty string leave a thing open. Times are aware."""

    group: StatusGroup = StatusGroup.ALL
    symbol: str = ""
    account: BrokerAccount | None = None
    source: str = ""
    received_from: datetime | None = None
    received_before: datetime | None = None


def order_page(
    user: AbstractBaseUser,
    filters: OrderFilters,
    *,
    before: uuid.UUID | None = None,
    after: uuid.UUID | None = None,
    size: int = 50,
) -> RowPage[Order]:
    """Return a page of the trader's orders, each with its ``open_requests``; see ``page_of``."""
    orders = _filtered(Order.objects.filter(user=user.pk), filters)
    orders = orders.select_related("account", "strategy").defer("state").prefetch_related(OPEN_REQUESTS)
    return page_of(orders, before=before, after=after, size=size)


def _filtered(orders: QuerySet[Order], filters: OrderFilters) -> QuerySet[Order]:
    orders = orders.filter(_in_group(filters.group))
    if filters.symbol:
        orders = orders.filter(symbol=filters.symbol)
    if filters.account is not None:
        orders = orders.filter(account=filters.account)
    if filters.source:
        orders = orders.filter(source=filters.source)
    if filters.received_from is not None:
        orders = orders.filter(received_at__gte=filters.received_from)
    if filters.received_before is not None:
        orders = orders.filter(received_at__lt=filters.received_before)
    return orders


def _in_group(group: StatusGroup) -> Q:
    if group is StatusGroup.OPEN:
        return Q(ended=False)
    if group is StatusGroup.FILLED:
        return Q(ord_status=OrdStatus.FILLED)
    if group is StatusGroup.ENDED:
        return Q(ended=True) & ~Q(ord_status=OrdStatus.FILLED)
    if group is StatusGroup.UNKNOWN:
        return Q(ord_status=OrdStatus.SUBMITTED, submitted_at__lt=timezone.now() - OUTCOME_UNKNOWN_AFTER)
    return Q()


def outcome_is_unknown(order: Order, now: datetime) -> bool:
    """Say whether an order was sent and nobody has known for a while what became of it."""
    if order.ord_status != OrdStatus.SUBMITTED:
        return False
    return (order.submitted_at or order.recorded_at) < now - OUTCOME_UNKNOWN_AFTER


def request_is_unknown(request: OrderRequest, now: datetime) -> bool:
    """Say whether a cancel or replace was sent and nobody has known for a while what became of it."""
    if request.status != OrderRequest.Status.SENT:
        return False
    return (request.submitted_at or request.recorded_at) < now - OUTCOME_UNKNOWN_AFTER


def time_zone_of(user: AbstractBaseUser) -> zoneinfo.ZoneInfo:
    """Return the trader's time zone; UTC for who does not trade, or names a zone that is none."""
    name = Trader.objects.filter(pk=user.pk).values_list("time_zone", flat=True).first()
    try:
        return zoneinfo.ZoneInfo(name) if name else UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return UTC


def strategies_of(user: AbstractBaseUser) -> QuerySet[Strategy]:
    """Return the trader's strategies by name, with their exit rules and the accounts that each one trades."""
    strategies = Strategy.objects.filter(user=user.pk).select_related("exit_rules")
    return strategies.prefetch_related("accounts").order_by("name")


def latest_signals(user: AbstractBaseUser, *, limit: int = 12) -> QuerySet[Signal]:
    """Return the trader's newest signals, newest first, each with the orders that it made."""
    orders = Prefetch("orders", Order.objects.defer("state").order_by("id"))
    return (
        Signal.objects.filter(user=user.pk)
        .select_related("strategy")
        .defer("body")
        .prefetch_related(orders)
        .order_by("-id")[:limit]
    )
