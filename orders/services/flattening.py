"""Flatten: cancel what would open, close what is held; of one symbol, one account, or everything of a trader.

It stands on what exits do anyway: each is recorded at once and sent when its way is clear, so that what a canceled
entry was filled for meanwhile is closed too. Asking again changes nothing while the exits are open.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import OrdStatus, PositionEffect, Side
from failpoints import failpoint
from orders.models import ExitReason, Order, Position, Source
from orders.services.asking import Asked
from orders.services.exits import record_exit, standing_exit
from orders.services.requests import RequestRefused, record_cancel
from orders.services.retrying import retried

Place = tuple[uuid.UUID, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is flattened of a trader; None: every account, every symbol."""

    user_id: int
    account_id: uuid.UUID | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Flattened:
    """The exits that are open now, how many orders are canceled, and the ids for whose answer somebody may wait."""

    exits: tuple[Order, ...] = ()
    canceled: int = 0
    settled: tuple[uuid.UUID, ...] = ()


def flatten(
    scope: Scope, *, source: Source, writer: str = "web", statement_timeout_ms: int = 5000
) -> Flattened:
    """Flatten every place of this scope, each in a transaction of its own; the caller rings for the worker."""
    exits: tuple[Order, ...] = ()
    canceled = 0
    settled: tuple[uuid.UUID, ...] = ()
    for account_id, symbol in places_of(scope):
        done = _flatten_place(account_id, symbol, source, writer, statement_timeout_ms)
        exits, canceled, settled = exits + done.exits, canceled + done.canceled, settled + done.settled
    return Flattened(exits, canceled, settled)


def places_of(scope: Scope) -> list[Place]:
    """Return the places of this scope at which something is held, or an order is open."""
    wanted: dict[str, Any] = {"user": scope.user_id}
    if scope.account_id is not None:
        wanted["account"] = scope.account_id
    if scope.symbol is not None:
        wanted["symbol"] = scope.symbol
    held = Position.objects.filter(**wanted).exclude(qty=0).values_list("account", "symbol")
    open_orders = Order.objects.filter(next_check_at__isnull=False, ended=False, **wanted)
    return sorted({*held, *open_orders.values_list("account", "symbol")})


@retried
def _flatten_place(
    account_id: uuid.UUID, symbol: str, source: Source, writer: str, statement_timeout_ms: int
) -> Flattened:
    account = BrokerAccount.objects.get(pk=account_id)
    with transaction.atomic():
        sides = _sides_to_close(account, symbol)
        settled, canceled = _cancel_orders(account, symbol, source, statement_timeout_ms)
        exits = [
            record_exit(
                account,
                symbol,
                side=side,
                qty=None,
                exit_reason=ExitReason.FLATTENED,
                source=source,
                writer=writer,
            )
            for side in sides
        ]
        failpoint("flatten.before_commit")
    failpoint("flatten.after_commit")
    return Flattened(tuple(order for order in exits if order is not None), canceled, settled)


def _cancel_orders(
    account: BrokerAccount, symbol: str, source: Source, statement_timeout_ms: int
) -> tuple[tuple[uuid.UUID, ...], int]:
    """Cancel the open orders of a place, but market exits of the whole; a position's protection ends with its exit."""
    settled: tuple[uuid.UUID, ...] = ()
    canceled = 0
    standing = [standing_exit(account, symbol, side) for side in Side]
    keep = [order.pk for order in standing if order is not None]
    orders = _open_orders(account, symbol).filter(leg="").exclude(pk__in=keep)
    for order_id in list(orders.order_by("id").values_list("id", flat=True)):
        asked = Asked(user_id=account.user_id, order_id=order_id, source=source, received_at=timezone.now())
        try:
            recorded = record_cancel(asked, statement_timeout_ms=statement_timeout_ms)
        except RequestRefused:
            continue  # it has ended just now
        canceled, settled = canceled + 1, settled + recorded.settled
    return settled, canceled


def _sides_to_close(account: BrokerAccount, symbol: str) -> list[Side]:
    """Return the sides on which exits are needed: for what is held, and for what entries may yet bring."""
    sides = set()
    held = Position.objects.filter(account=account, symbol=symbol).values_list("qty", flat=True).first()
    if held:
        sides.add(Side.SELL if held > 0 else Side.BUY)
    entries = _open_orders(account, symbol).filter(position_effect=PositionEffect.OPEN)
    for side in entries.exclude(ord_status=OrdStatus.INITIALIZED).values_list("side", flat=True):
        sides.add(Side.SELL if side == Side.BUY else Side.BUY)
    return sorted(sides)


def _open_orders(account: BrokerAccount, symbol: str) -> QuerySet[Order]:
    return Order.objects.filter(
        user=account.user_id, next_check_at__isnull=False, ended=False, account=account, symbol=symbol
    )
