"""Build every order anew from its history and compare: a row is a projection, and its events are the truth."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, cast

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import DecimalField, F, OuterRef
from django.db.models.functions import JSONObject

from orders.ledger.rows import Finding
from orders.models import Order, OrderEvent
from orders.state import IllegalTransition, OrderState, event_of_record, replay, state_from_dict

CHUNK = 500
RECORDED = "Recorded"
"""The first event of every order: it holds the quantity that was asked for."""

_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


def rebuilt_differences(order_ids: Iterable[uuid.UUID] | None = None) -> list[Finding]:
    """Return the orders whose rows are not what their events make of them; of these orders, or of all.

    Each order is read together with its events in one statement, so orders that move meanwhile are no matter.
    """
    return [finding for order in _orders_with_history(order_ids) if (finding := _compared(order))]


def rebuilt_state(history: Sequence[dict[str, Any]]) -> OrderState:
    """Replay events given as ``{"kind", "data"}``, oldest first.

    Raises ``ValueError`` or ``IllegalTransition`` where they are not the history of an order.
    """
    recorded = [record["data"] for record in history if record["kind"] == RECORDED]
    if len(recorded) != 1 or history[0]["kind"] != RECORDED:
        raise ValueError("the history does not begin with the recording, or has it twice")
    events = [event_of_record(record["data"]) for record in history[1:]]
    return replay(Decimal(recorded[0]["order_qty"]), [event for event in events if event is not None])


def _orders_with_history(order_ids: Iterable[uuid.UUID] | None) -> Iterator[Order]:
    events = OrderEvent.objects.filter(order=OuterRef("pk")).order_by("id")
    rows = Order.objects.annotate(
        history=ArraySubquery(events.values(row=JSONObject(kind="kind", data="data")))
    )
    if order_ids is not None:
        rows = rows.filter(pk__in=list(order_ids))
    after: uuid.UUID | None = None
    while chunk := list((rows if after is None else rows.filter(pk__gt=after)).order_by(F("pk"))[:CHUNK]):
        yield from chunk
        after = chunk[-1].pk


def _compared(order: Order) -> Finding | None:
    try:
        state = rebuilt_state(order.history)  # type: ignore[attr-defined]
    except (ValueError, IllegalTransition) as error:
        why = str(error)
    else:
        why = "; ".join(_differences(order, state))
    return Finding(str(order.pk), order.cl_ord_id, order.broker_order_id, why) if why else None


def _differences(order: Order, state: OrderState) -> Iterator[str]:
    rebuilt = {
        "ord_status": state.ord_status.value,
        "order_qty": _at_rest("order_qty", state.order_qty),
        "cum_qty": _at_rest("cum_qty", state.cum_qty),
        "leaves_qty": _at_rest("leaves_qty", state.leaves_qty),
        "avg_px": _at_rest("avg_px", state.avg_px),
        "ended": state.is_terminal,
    }
    for name, value in rebuilt.items():
        stored = getattr(order, name)
        if stored != value:
            yield f"{name}: {_plain(stored)} in the row, {_plain(value)} by its events"
    if state_from_dict(order.state) != state:
        yield "state: not what the events make of it"


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _at_rest(name: str, value: Decimal | None) -> Decimal | None:
    """Round as the column does."""
    column = cast("DecimalField[Any, Any]", Order._meta.get_field(name))
    return None if value is None else _WIDE.quantize(value, Decimal(1).scaleb(-column.decimal_places))
