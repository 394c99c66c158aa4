"""The one door through which an order changes: an event is applied, projected and recorded together."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from orders.models import FINAL_STATUSES, Order, OrderEvent
from orders.services.following import next_check
from orders.services.leases import Fence
from orders.state import Event, OrderState, apply, event_to_dict, state_from_dict, state_to_dict

PROJECTED = ["ord_status", "order_qty", "cum_qty", "leaves_qty", "avg_px", "state", "next_check_at", "checks"]

Stages = Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brings a change, and which way it came."""

    source: str  # web, worker, response, stream, poll, sweep
    fence: Fence | None = None
    stages: Stages = field(default_factory=dict)


def lock_order(order_id: uuid.UUID) -> Order:
    """Return the order with its row locked to the end of the transaction."""
    return Order.objects.select_for_update().get(pk=order_id)


def state_of(order: Order) -> OrderState:
    return state_from_dict(order.state)


def change_order(
    order: Order,
    event: Event,
    *,
    at: dt.datetime,
    origin: Origin,
    columns: Mapping[str, Any] | None = None,
    keep_following: bool = False,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Apply ``event`` to a locked order, project its columns, and write its history row.

    ``columns`` are further columns to set; ``keep_following`` has the broker asked again even if the order ends here.
    Returns whether the state changed; an event that changes nothing leaves no row, unless it brings stages.
    Raises ``IllegalTransition`` for an own decision that the order's state does not allow.
    """
    before = state_of(order)
    after = apply(before, event)
    changed = after != before
    for name, value in (columns or {}).items():
        setattr(order, name, value)
    was = order.ord_status
    project(order, after)
    _schedule(order, moved=order.ord_status != was, keep_following=keep_following)
    if changed or columns or keep_following:
        order.save(update_fields=[*PROJECTED, *(columns or {})])
    if changed or origin.stages:
        data = {**(detail or {}), **event_to_dict(event)}
        write_event(order, kind=type(event).__name__, at=at, origin=origin, data=data)
    return changed


def project(order: Order, state: OrderState) -> None:
    """Set the columns that say what the state says."""
    order.state = state_to_dict(state)
    order.order_qty = state.order_qty
    order.cum_qty = state.cum_qty
    order.leaves_qty = state.leaves_qty
    order.avg_px = state.avg_px
    order.ord_status = state.ord_status


def _schedule(order: Order, *, moved: bool, keep_following: bool) -> None:
    """Say when the order is looked at next: never once it has ended, anew where its status has moved."""
    if order.ord_status in FINAL_STATUSES and not keep_following:
        order.next_check_at = None
        return
    if moved:
        order.checks = 0
    if moved or order.next_check_at is None:
        order.next_check_at = next_check(order, timezone.now())


def write_event(
    order: Order, *, kind: str, at: dt.datetime, origin: Origin, data: Mapping[str, Any] | None = None
) -> None:
    """Add a row to the order's history."""
    fence = origin.fence
    OrderEvent.objects.create(
        order=order,
        user_id=order.user_id,
        kind=kind,
        at=at,
        ord_status=order.ord_status,
        source=origin.source,
        worker=fence.worker if fence else "",
        pid=fence.pid if fence else None,
        epoch=fence.epoch if fence else None,
        stages={name: moment.isoformat() for name, moment in origin.stages.items()},
        data=dict(data or {}),
    )


def note_reply(order: Order) -> None:
    """Record once when the sender was told, after the fact and without making anybody wait for the disk."""
    if order.events.filter(kind="Replied").exists():
        return
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        write_event(order, kind="Replied", at=now, origin=Origin("worker", stages={"replied": now}))
