"""Write a new order's row, with its first history, in the caller's transaction."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from django.utils import timezone

from brokers.ids import cl_ord_id_of, new_id
from brokers.models import BrokerAccount
from brokers.types import OrdStatus, OrdType, PositionEffect, Side, TimeInForce
from orders.models import ExitReason, Leg, Order, Signal, Source, Strategy
from orders.rows import insert_rows
from orders.services.changes import Change, Origin, project, write_event
from orders.services.closed_markets import closed_market, hold_back
from orders.services.drift import deny_halted
from orders.services.following import next_check
from orders.services.instruments import fit_prices
from orders.services.journal import record_entry
from orders.state import OrderState


class Asked(Protocol):
    """What an alert, a manual order and the desk's own exits have in common: the terms of one order."""

    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> Side: ...
    @property
    def ord_type(self) -> OrdType: ...
    @property
    def time_in_force(self) -> TimeInForce | None: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def stop_px(self) -> Decimal | None: ...
    @property
    def position_effect(self) -> PositionEffect: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitTerms:
    """The terms of an exit that the desk itself decides on."""

    symbol: str
    side: Side
    ord_type: OrdType = OrdType.MARKET
    time_in_force: TimeInForce | None = None
    price: Decimal | None = None
    stop_px: Decimal | None = None
    position_effect: PositionEffect = PositionEffect.CLOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where an order comes from, and for whose sake."""

    source: Source
    received_at: dt.datetime
    strategy: Strategy | None = None
    signal: Signal | None = None
    idempotency_key: str | None = None
    request_digest: str = ""
    exit_reason: ExitReason | None = None
    """Of an exit; None: by its source, a strategy's signal or a hand."""
    leg: Leg | None = None
    parent: Order | None = None
    writer: str = "web"
    """Who writes it, as its history names them: web, worker, sweep, operator."""


def write_order(
    asked: Asked, account: BrokerAccount, order_qty: Decimal, provenance: Provenance, **columns: Any
) -> Order:
    """Insert an order as ``INITIALIZED`` and return it; ``columns`` are further ones of its row.

    Prices are rounded to the tick, and the history keeps those that were asked for. An entry begins its trade in the
    journal; one whose account is halted is denied, and one whose market is closed is denied or waits for the opening.
    """
    order_id = new_id()
    now = timezone.now()
    fitted = fit_prices(
        account,
        asked.symbol,
        side=asked.side,
        effect=asked.position_effect,
        price=asked.price,
        stop_px=asked.stop_px,
    )
    order = Order(
        id=order_id,
        cl_ord_id=cl_ord_id_of(order_id),
        working_cl_ord_id=cl_ord_id_of(order_id),
        user_id=account.user_id,
        account=account,
        strategy=provenance.strategy,
        signal=provenance.signal,
        source=provenance.source,
        simulation=account.simulation,
        idempotency_key=provenance.idempotency_key,
        request_digest=provenance.request_digest,
        symbol=asked.symbol,
        side=asked.side,
        ord_type=asked.ord_type,
        # DAY where the sender leaves it open: what every broker takes, for fractions too.
        time_in_force=asked.time_in_force or TimeInForce.DAY,
        order_qty=order_qty,
        price=fitted.price,
        stop_px=fitted.stop_px,
        position_effect=asked.position_effect,
        exit_reason=_exit_reason(asked, provenance),
        leg=provenance.leg or "",
        parent=provenance.parent,
        ord_status=OrdStatus.INITIALIZED,
        received_at=provenance.received_at,
        recorded_at=now,
        **columns,
    )
    project(order, OrderState(order_qty))
    order.next_check_at = next_check(order, now)
    insert_rows([order])
    stages = {"received": provenance.received_at, "recorded": now}
    origin = Origin(provenance.writer, stages=stages)
    data: dict[str, Any] = {"order_qty": str(order_qty), **fitted.asked}
    if order.sizing is not None:
        data["sizing"] = order.sizing
    write_event(order, kind="Recorded", at=now, origin=origin, data=data)
    if order.position_effect == PositionEffect.OPEN and record_entry(order):
        _deny_halted(order, now, provenance.writer)
    else:
        _check_market(order, now, provenance.writer)
    return order


def _exit_reason(asked: Asked, provenance: Provenance) -> str:
    if asked.position_effect == PositionEffect.OPEN:
        return ""
    if provenance.exit_reason is not None:
        return provenance.exit_reason
    return ExitReason.SIGNAL if provenance.source == Source.WEBHOOK else ExitReason.MANUAL_EXIT


def _deny_halted(order: Order, now: dt.datetime, writer: str) -> None:
    change = Change(order, Origin(writer))
    deny_halted(change, at=now)
    change.save()


def _check_market(order: Order, now: dt.datetime, writer: str) -> None:
    """Deny an entry whose market is closed, or have it wait for the opening; an exit is sent whenever it comes."""
    closed = closed_market(order, now)
    if closed is not None:
        change = Change(order, Origin(writer))
        hold_back(change, closed, until=closed.opens_at, at=now)
        change.save()
