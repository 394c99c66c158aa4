"""Events and states as JSON objects, decimals as strings; what is at its default is left out."""

from __future__ import annotations

from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any, get_args

from brokers.types import OrdStatus
from orders.state.events import Event
from orders.state.model import EndCause, Fill, OrderState, Phase, Request, RequestKind, RequestStage

Json = dict[str, Any]

_EVENTS: dict[str, type[Any]] = {event.__name__: event for event in get_args(Event)}
_DECIMALS = frozenset({"order_qty", "cum_qty", "last_qty", "last_px"})
_FLAGS = ("done_for_day", "good_till", "stopped", "suspended")


def event_to_dict(event: Event) -> Json:
    """Return ``{"kind": class name, field: value}``."""
    result: Json = {"kind": type(event).__name__}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.default is MISSING or value != field.default:
            result[field.name] = str(value) if isinstance(value, Decimal | OrdStatus) else value
    return result


def event_from_dict(data: Json) -> Event:
    """Rebuild an event. Raises ValueError when ``data`` is not one that ``event_to_dict`` made."""
    values = dict(data)
    try:
        event_type = _EVENTS[values.pop("kind")]
        for name in _DECIMALS & values.keys():
            values[name] = Decimal(values[name])
        if "ord_status" in values:
            values["ord_status"] = OrdStatus(values["ord_status"])
        event: Event = event_type(**values)
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"not an order event: {data!r}") from error
    return event


def event_of_record(data: Json) -> Event | None:
    """Rebuild the event that a history row's data holds, whatever else it says; None where it holds none."""
    event_type = _EVENTS.get(data.get("kind", ""))
    if event_type is None:
        return None
    names = {"kind", *(field.name for field in fields(event_type))}
    return event_from_dict({name: value for name, value in data.items() if name in names})


def state_to_dict(state: OrderState) -> Json:
    """Return the whole state, from which ``state_from_dict`` makes an equal one."""
    result: Json = {"order_qty": str(state.order_qty), "phase": str(state.phase)}
    if state.attempt:
        result["attempt"] = state.attempt
    if state.fills:
        result["fills"] = [_fill_to_list(fill) for fill in state.fills]
    if state.retired:
        result["retired"] = list(state.retired)
    if state.requests:
        result["requests"] = [_request_to_list(request) for request in state.requests]
    if state.end is not None:
        result["end"] = str(state.end)
    result.update({name: True for name in _FLAGS if getattr(state, name)})
    return result


def state_from_dict(data: Json) -> OrderState:
    """Rebuild a state. Raises ValueError when ``data`` is not one that ``state_to_dict`` made."""
    try:
        return OrderState(
            order_qty=Decimal(data["order_qty"]),
            phase=Phase(data["phase"]),
            attempt=data.get("attempt", 0),
            fills=tuple(_fill_from_list(item) for item in data.get("fills", ())),
            retired=tuple(data.get("retired", ())),
            requests=tuple(_request_from_list(item) for item in data.get("requests", ())),
            end=EndCause(data["end"]) if "end" in data else None,
            **{name: data.get(name, False) for name in _FLAGS},
        )
    except (KeyError, TypeError, IndexError, ArithmeticError) as error:
        raise ValueError(f"not an order state: {data!r}") from error


def _fill_to_list(fill: Fill) -> list[str]:
    return [fill.exec_id, str(fill.last_qty), str(fill.last_px), *fill.supersedes]


def _fill_from_list(item: list[str]) -> Fill:
    return Fill(item[0], Decimal(item[1]), Decimal(item[2]), tuple(item[3:]))


def _request_to_list(request: Request) -> list[str | None]:
    quantity = None if request.order_qty is None else str(request.order_qty)
    return [request.id, str(request.kind), quantity, str(request.stage)]


def _request_from_list(item: list[Any]) -> Request:
    request_id, kind, quantity, stage = item
    order_qty = None if quantity is None else Decimal(quantity)
    return Request(request_id, RequestKind(kind), order_qty, RequestStage(stage))
