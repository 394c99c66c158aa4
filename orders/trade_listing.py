"""Lists of one trader's own positions and trades, for pages. Nothing here writes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Prefetch, Q

from brokers.models import BrokerAccount
from orders.models import Order, Position, Strategy, Trade, TradeOrder
from orders.paging import RowPage, page_of

LEGS = Prefetch("legs", TradeOrder.objects.order_by("pk"))
"""Gives each trade its legs in the order in which they joined it."""


class TradeGroup(StrEnum):
    """What a trader asks for when they ask for trades."""

    ALL = "all"
    OPEN = "open"
    CLOSED = "closed"
    CANCELED = "canceled"


_IN_GROUP = {
    TradeGroup.ALL: Q(),
    TradeGroup.OPEN: Q(status__in=[Trade.Status.ORDERED, Trade.Status.POSITION]),
    TradeGroup.CLOSED: Q(status=Trade.Status.CLOSED),
    TradeGroup.CANCELED: Q(status=Trade.Status.CANCELED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFilters:
    """Which positions to list; None and the empty string leave a thing open."""

    with_flat: bool = False
    symbol: str = ""
    account: BrokerAccount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFilters:
    """Which trades to list; None and the empty string leave a thing open."""

    group: TradeGroup = TradeGroup.ALL
    symbol: str = ""
    account: BrokerAccount | None = None
    strategy: Strategy | None = None


def positions_of(user: AbstractBaseUser, filters: PositionFilters, *, limit: int) -> list[Position]:
    """Return at most ``limit`` of the trader's positions by symbol, each with its account."""
    positions = Position.objects.filter(user=user.pk).select_related("account")
    if not filters.with_flat:
        positions = positions.exclude(qty=0)
    if filters.symbol:
        positions = positions.filter(symbol=filters.symbol)
    if filters.account is not None:
        positions = positions.filter(account=filters.account)
    return list(positions.order_by("symbol", "account__label", "pk")[:limit])


def open_trades_of(positions: Sequence[Position]) -> dict[int, Trade]:
    """Return the trade under way of each of these positions, by the position's key."""
    accounts = {position.account_id for position in positions if position.qty}
    trades = Trade.objects.filter(account__in=accounts, status=Trade.Status.POSITION)
    of_symbol = {(trade.account_id, trade.symbol): trade for trade in trades}
    found = {position.pk: of_symbol.get((position.account_id, position.symbol)) for position in positions}
    return {key: trade for key, trade in found.items() if trade is not None}


def trade_page(
    user: AbstractBaseUser,
    filters: TradeFilters,
    *,
    before: uuid.UUID | None = None,
    after: uuid.UUID | None = None,
    size: int = 50,
) -> RowPage[Trade]:
    """Return a page of the trader's trades, each with its legs; see ``page_of``."""
    trades = Trade.objects.filter(_IN_GROUP[filters.group], user=user.pk)
    if filters.symbol:
        trades = trades.filter(symbol=filters.symbol)
    if filters.account is not None:
        trades = trades.filter(account=filters.account)
    if filters.strategy is not None:
        trades = trades.filter(strategy=filters.strategy)
    trades = trades.select_related("account", "strategy").prefetch_related(LEGS)
    return page_of(trades, before=before, after=after, size=size)


def legs_of(trade: Trade) -> list[TradeOrder]:
    """Return the trade's legs in the order in which they joined it, each with its order."""
    return list(trade.legs.select_related("order").defer("order__state").order_by("pk"))


def trades_of_order(order: Order) -> list[TradeOrder]:
    """Return the order's part in each trade that it belongs to: two, where it has reversed a position."""
    return list(order.trade_legs.select_related("trade").order_by("trade_id"))


def protective_exits_for(entry: Order) -> list[Order]:
    """Return the protective exits that the desk has made for this entry, the newest first."""
    if entry.protection is None:
        return []
    return list(entry.children.exclude(leg="").defer("state").order_by("-id"))


def protective_exits_of(trade: Trade) -> list[Order]:
    """Return the protective exits that the desk has made for the entries of this trade, the newest first."""
    entries = trade.legs.filter(role=TradeOrder.Role.ENTRY).values("order")
    return list(Order.objects.filter(parent__in=entries).exclude(leg="").defer("state").order_by("-id"))
