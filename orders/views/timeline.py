"""An order's timeline: its way through the desk stage by stage, and what happened to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orders.models import Execution, Order, OrderEvent
from orders.views.wording import SOURCES, STAGES, event_words, humanise

_SHOWN = frozenset(["kind", "reason", "why", "exec_id", "last_qty", "last_px"])
_OF_REQUESTS = frozenset(
    [
        "CancelRecorded",
        "ReplaceRecorded",
        "CancelRequested",
        "ReplaceRequested",
        "RequestNotSent",
        "RequestOutcomeUnknown",
        "PendingCancel",
        "PendingReplace",
        "Replaced",
        "CancelRejected",
        "ReplaceRejected",
    ]
)
"""Events of a cancel or replace: their stages are not those of the order's own way."""
_MAY_ANSWER = frozenset(["Canceled", "Heard"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the way; ``offset_pct`` and ``width_pct`` place its step in the whole."""

    label: str
    at: datetime
    since_receipt_ms: float
    step_ms: float
    offset_pct: float
    width_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, with the fill that it brought where it brought one."""

    event: OrderEvent
    title: str
    source: str
    since_receipt_ms: float
    fill: Execution | None
    reason: str
    data: str


def stages_of(order: Order, events: Iterable[OrderEvent]) -> list[Stage]:
    """Return every stage of the order's own way, by time; one that came twice is there twice.

    ``OrderEvent.stages`` maps a stage to an ISO 8601 time with its zone.
    """
    reached = {
        (datetime.fromisoformat(at), stage)
        for event in _own_events(events)
        for stage, at in event.stages.items()
    }
    reached.add((order.received_at, "received"))
    # A stage's time is kept in the event's JSON and in the order's column: to the same microsecond.
    known = sorted(reached, key=lambda item: (item[0], _rank(item[1])))
    start, end = known[0][0], known[-1][0]
    total_ms = max(_ms(end, start), 0.001)
    rows, before = [], start
    for at, stage in known:
        step_ms = _ms(at, before)
        rows.append(
            Stage(
                label=STAGES.get(stage) or humanise(stage),
                at=at,
                since_receipt_ms=_ms(at, order.received_at),
                step_ms=step_ms,
                offset_pct=round(_ms(before, start) / total_ms * 100, 2),
                width_pct=round(step_ms / total_ms * 100, 2),
            )
        )
        before = at
    return rows


def _own_events(events: Iterable[OrderEvent]) -> Iterator[OrderEvent]:
    """Leave out what a cancel or replace went through, and its answers, which may come as the order's end."""
    asked = False
    for event in events:
        asked = asked or event.kind in _OF_REQUESTS
        if event.kind not in _OF_REQUESTS and not (asked and event.kind in _MAY_ANSWER):
            yield event


def entries_of(order: Order, events: Iterable[OrderEvent], fills: Sequence[Execution]) -> list[Entry]:
    """Return the events as they were recorded, each with its fill."""
    by_exec_id = {fill.exec_id: fill for fill in fills}
    return [
        Entry(
            event=event,
            title=event_words(event.kind),
            source=SOURCES.get(event.source, event.source),
            since_receipt_ms=_ms(event.at, order.received_at),
            fill=by_exec_id.get(str(event.data.get("exec_id") or "")),
            reason=str(event.data.get("reason") or event.data.get("why") or ""),
            data=_further(event.data),
        )
        for event in events
    ]


def _further(data: dict[str, Any]) -> str:
    """Return what the event's data says beyond what its entry shows, as JSON; '' where that is nothing."""
    rest = {name: value for name, value in data.items() if name not in _SHOWN}
    return json.dumps(rest, indent=2, ensure_ascii=False) if rest else ""


def _ms(at: datetime, start: datetime) -> float:
    return (at - start).total_seconds() * 1000


def _rank(stage: str) -> int:
    names = list(STAGES)
    return names.index(stage) if stage in STAGES else len(names)
