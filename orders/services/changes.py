"""The one door through which an order changes: an event is applied, projected and recorded together."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect
from orders.models import Errand, Execution, Leg, Order, OrderEvent, OrderRequest, Position
from orders.protection import shared_event
from orders.rows import columns_of, fetch_rows, insert_rows, update_row
from orders.services.errands import tend_if_waited_for, write_errand
from orders.services.following import next_check
from orders.services.journal import cancel_unopened
from orders.services.leases import Fence
from orders.services.positions import book_executions
from orders.state import (
    Event,
    OrderState,
    Request,
    RequestKind,
    RequestStage,
    apply,
    event_to_dict,
    state_from_dict,
    state_to_dict,
)

PROJECTED = [
    "ord_status",
    "order_qty",
    "cum_qty",
    "leaves_qty",
    "avg_px",
    "ended",
    "state",
    "next_check_at",
    "checks",
]

Stages = Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brings a change, and which way it came."""

    source: str  # web, worker, response, stream, poll, sweep, lookup, operator
    fence: Fence | None = None
    stages: Stages = field(default_factory=dict)


# NO KEY: what only refers to an order, as a leg of a trade does, need not wait; it may hold the position meanwhile.
# Written out, since every step of an order begins with it: the ORM takes longer to write it than PostgreSQL to answer.
ORDER_COLUMNS = columns_of(Order)
LOCK_SENT_WITH = f"SELECT {ORDER_COLUMNS} FROM orders_order WHERE sent_with_id = %s FOR NO KEY UPDATE"  # noqa: S608 - names of our own columns
LOCK_ORDER = f"SELECT {ORDER_COLUMNS} FROM orders_order WHERE id = %s FOR NO KEY UPDATE"  # noqa: S608 - names of our own columns


def lock_order(order_id: uuid.UUID) -> Order:
    """Return the order with its row locked to the end of the transaction; raises ``Order.DoesNotExist``."""
    for order in fetch_rows(Order, LOCK_ORDER, [order_id]):
        return order
    raise Order.DoesNotExist(f"no order {order_id}")


def lock_sent_with(order: Order) -> Order | None:
    """Return the stop of the OCO that this order is sent for, its row locked; None where there is none."""
    return next(iter(fetch_rows(Order, LOCK_SENT_WITH, [order.id])), None)


def state_of(order: Order) -> OrderState:
    return state_from_dict(order.state)


class Change:
    """The changes of one locked order in one transaction: events are applied in memory, then saved together.

    Usable once: ``apply`` any number of events, then ``save``.
    """

    def __init__(self, order: Order, origin: Origin) -> None:
        self.order = order
        self.changed = False
        self.answered: tuple[uuid.UUID, ...] = ()  # requests about the order that ``save`` found answered
        self.tends = False  # ``save`` has written an errand: the worker has to look at the position
        self._origin = origin
        self._was, self._had_ended = order.ord_status, order.ended
        self._state = state_of(order)
        self._had_requests = bool(self._state.requests)
        self._columns: set[str] = set()
        self._events: list[OrderEvent] = []
        self._executions: list[Execution] = []

    @property
    def state(self) -> OrderState:
        return self._state

    def apply(self, event: Event, *, at: dt.datetime, detail: Mapping[str, Any] | None = None) -> bool:
        """Apply one event; return whether the state changed. One that changes nothing leaves no history row.

        Raises ``IllegalTransition`` for an own decision that the order's state does not allow.
        """
        after = apply(self._state, event)
        if after == self._state:
            return False
        self._state, self.changed = after, True
        project(self.order, after)
        self.note(type(event).__name__, at=at, data={**(detail or {}), **event_to_dict(event)})
        return True

    def set(self, **columns: Any) -> None:
        """Set further columns of the order's row."""
        for name, value in columns.items():
            if getattr(self.order, name) != value:
                setattr(self.order, name, value)
                self._columns.add(name)

    def record_execution(self, execution: Execution) -> None:
        """Insert an execution; ``save`` books it into the position. Its event is applied besides."""
        insert_rows([execution])
        self._executions.append(execution)

    def note(self, kind: str, *, at: dt.datetime, data: Mapping[str, Any] | None = None) -> None:
        """Add a history row."""
        self._events.append(new_event(self.order, kind=kind, at=at, origin=self._origin, data=data))

    def save(self, *, keep_following: bool = False) -> None:
        """Write the row and its history; ``keep_following`` has the broker asked again even if the order ended."""
        if not self._events and self._origin.stages:
            self.note("Heard", at=timezone.now())  # nothing new, but when we heard is worth keeping
        if self._events:
            self._events[0].stages = stage_texts(self._origin.stages)
        was_due = self.order.next_check_at
        self._schedule(keep_following)
        if self.changed and (self._state.requests or self._had_requests):
            self._project_requests()
        insert_rows(self._events)
        if self.changed or self._columns or keep_following or self.order.next_check_at != was_due:
            update_row(self.order, {*PROJECTED, *self._columns})
        protected = False
        if self._executions:
            plain = [fill.exec_id for fill in self._state.fills if not fill.supersedes]
            protected = book_executions(self.order, self._executions, plain).protected
        if self.order.leg == Leg.TAKE_PROFIT and self.changed:
            self._carry_along()
        if self.order.ended and not self._had_ended:
            self._end()
        if protected or self._concerns_protection():
            self._have_tended()

    def _end(self) -> None:
        """Do what an order's end brings: others of its place may have waited for it, or its trade never begins."""
        if self.order.position_effect == PositionEffect.OPEN:
            cancel_unopened(self.order)
        if self.order.position_effect == PositionEffect.CLOSE or self._had_requests:
            self.tends = tend_if_waited_for(self.order)

    def _carry_along(self) -> None:
        """Have the stop of an OCO share what happens to the order that it is sent with."""
        stop = lock_sent_with(self.order)
        event = shared_event(self._state, state_of(stop)) if stop is not None else None
        if stop is None or event is None:
            return
        change = Change(stop, self._origin)
        names = ("attempt", "epoch", "submitted_at", "eligible_at", "reason", "text")
        change.set(**{name: getattr(self.order, name) for name in names})
        change.apply(event, at=timezone.now())
        change.save()

    def _concerns_protection(self) -> bool:
        """Say whether a protective exit has moved, or an exit has ended beside which there were to be none.

        An order of neither kind pays nothing for this; an exit that was filled, nothing either: its place knows.
        """
        order = self.order
        if order.leg:
            moved = order.ord_status != self._was or bool(self._executions or self.answered)
            return moved and order.ord_status not in (OrdStatus.INITIALIZED, OrdStatus.SUBMITTED)
        ended = order.ended and not self._had_ended and not self._executions
        if not ended or order.position_effect != PositionEffect.CLOSE:
            return False
        place = Position.objects.filter(account=order.account_id, symbol=order.symbol, protected=True)
        return place.exists()

    def _have_tended(self) -> None:
        order, kind = self.order, Errand.Kind.TEND_POSITION
        write_errand(user_id=order.user_id, account_id=order.account_id, kind=kind, symbol=order.symbol)
        self.tends = True

    def _project_requests(self) -> None:
        """Have the requests' rows say what the order's state says of them. The order's row is locked before theirs."""
        rows = OrderRequest.objects.select_for_update().filter(order=self.order)
        by_id = {request.id: request for request in self._state.requests}
        now = timezone.now()
        for row in rows.order_by("id"):
            known = by_id.get(row.cl_ord_id)
            if known is None and not row.is_open:
                continue  # answered without having been sent
            status = _request_status(known, self._state)
            if known is not None and status != row.status and known.stage is RequestStage.ACCEPTED:
                self._take_terms(row)
            if status == row.status:
                continue
            row.status = status
            row.answered_at = None if row.is_open else now
            row.reason = row.text = ""  # of an answer that this one outdates
            row.save(update_fields=["status", "answered_at", "reason", "text"])
            if not row.is_open:
                self.answered += (row.id,)

    def _take_terms(self, row: OrderRequest) -> None:
        """An accepted replace is what the order is from now on; its quantity is in the state already."""
        if row.kind == RequestKind.REPLACE:
            terms = {"price": row.price, "stop_px": row.stop_px}
            self.set(**{name: value for name, value in terms.items() if value is not None})

    def _schedule(self, keep_following: bool) -> None:
        """Say when the order is looked at next: never once it has ended, anew where its status has moved."""
        order, moved = self.order, self.order.ord_status != self._was
        if order.ended and not keep_following:
            order.next_check_at = None
            return
        if moved:
            order.checks = 0
        if moved or order.next_check_at is None:
            order.next_check_at = next_check(order, timezone.now())


def _request_status(known: Request | None, state: OrderState) -> str:
    if known is None:
        # Not sent, or taken back; there is nothing left that it could change once the order has ended.
        return OrderRequest.Status.MOOT if state.is_terminal else OrderRequest.Status.RECORDED
    if known.stage is RequestStage.SENT and state.is_terminal:
        return OrderRequest.Status.MOOT
    return OrderRequest.Status(known.stage)


def change_order(
    order: Order, event: Event, *, at: dt.datetime, origin: Origin, columns: Mapping[str, Any] | None = None
) -> bool:
    """Apply one event to a locked order and save it; return whether the state changed."""
    change = Change(order, origin)
    change.apply(event, at=at)
    change.set(**(columns or {}))
    change.save()
    return change.changed


def project(order: Order, state: OrderState) -> None:
    """Set the columns that say what the state says."""
    order.state = state_to_dict(state)
    order.order_qty = state.order_qty
    order.cum_qty = state.cum_qty
    order.leaves_qty = state.leaves_qty
    order.avg_px = state.avg_px
    order.ord_status = state.ord_status
    order.ended = state.is_terminal


def write_event(
    order: Order, *, kind: str, at: dt.datetime, origin: Origin, data: Mapping[str, Any] | None = None
) -> None:
    """Add one row to the order's history."""
    event = new_event(order, kind=kind, at=at, origin=origin, data=data)
    event.stages = stage_texts(origin.stages)
    insert_rows([event])


def new_event(
    order: Order, *, kind: str, at: dt.datetime, origin: Origin, data: Mapping[str, Any] | None
) -> OrderEvent:
    fence = origin.fence
    return OrderEvent(
        order=order,
        user_id=order.user_id,
        kind=kind,
        at=at,
        ord_status=order.ord_status,
        source=origin.source,
        worker=fence.worker if fence else "",
        pid=fence.pid if fence else None,
        epoch=fence.epoch if fence else None,
        data=dict(data or {}),
    )


def stage_texts(stages: Stages) -> dict[str, str]:
    return {name: moment.isoformat() for name, moment in stages.items()}


# One round trip, after the fact: nobody waits for this one to reach the disk.
NOTE_REPLY = """
WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO orders_orderevent (order_id, user_id, kind, at, ord_status, source, worker, pid, epoch, stages, data)
SELECT %(order)s, %(user)s, 'Replied', %(at)s, %(ord_status)s, 'worker', %(worker)s, %(pid)s, %(epoch)s,
       %(stages)s, '{}'
FROM unhurried
ON CONFLICT (order_id) WHERE kind = 'Replied' DO NOTHING
"""


def note_reply(order: Order, fence: Fence) -> None:
    """Record, once, when the sender was told."""
    now = timezone.now()
    values: dict[str, Any] = {
        "order": order.id,
        "user": order.user_id,
        "at": now,
        "ord_status": order.ord_status,
        "worker": fence.worker,
        "pid": fence.pid,
        "epoch": fence.epoch,
        "stages": json.dumps(stage_texts({"replied": now})),
    }
    with connection.cursor() as cursor:
        cursor.execute(NOTE_REPLY, values)
