"""Where the time of each alert went, from the stages in its order's history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from orders.models import OrderEvent
from tradingsite.bench.load import Sample
from tradingsite.bench.numbers import percentile

STEPS = {
    "received": "alert sent → received by the web process",
    "recorded": "received → recorded (layers, gates, the rows)",
    "dequeued": "recorded → taken up by the worker (commit, bell)",
    "sent": "taken up → sent to the broker (transaction 1)",
    "acknowledged": "sent → acknowledged (the broker's call)",
    "filled": "acknowledged → filled, by the exchange's clock",
    "replied": "filled → replied (its report, transaction 2)",
    "answered": "replied → answer read by the client",
}
"""Each step by the stage that ends it."""


@dataclass(frozen=True, slots=True)
class Way:
    """One alert's steps in milliseconds; they add up to ``total``. ``at_venue``: from sent to filled."""

    steps: Mapping[str, float]
    total: float
    at_venue: float


def ways_of(samples: Sequence[Sample]) -> list[Way]:
    """Return the ways of the alerts that were answered with their fill and whose history is whole."""
    histories: dict[str, dict[str, datetime]] = {sample.order_id: {} for sample in samples}
    rows = OrderEvent.objects.filter(order_id__in=list(histories)).order_by("id")
    for order_id, kind, at, stages in rows.values_list("order_id", "kind", "at", "stages"):
        moments = histories[str(order_id)]
        for stage, moment in stages.items():
            moments.setdefault(stage, datetime.fromisoformat(moment))
        if kind == "Trade":
            moments["filled"] = at
    found = [_way(sample, histories[sample.order_id]) for sample in samples if sample.filled]
    return [way for way in found if way is not None]


def describe(ways: Iterable[Way]) -> dict[str, Any]:
    """Return each step's p50, p95 and share of the whole time, and the time at the exchange apart."""
    known = list(ways)
    if not known:
        return {}
    total = fmean(way.total for way in known)
    steps = {
        stage: {
            "p50": round(percentile([way.steps[stage] for way in known], 50), 3),
            "p95": round(percentile([way.steps[stage] for way in known], 95), 3),
            "share_pct": round(fmean(way.steps[stage] for way in known) / total * 100, 1),
        }
        for stage in STEPS
    }
    own = [way.total - way.at_venue for way in known]
    return {
        "orders": len(known),
        "steps": steps,
        "at_venue": _both([way.at_venue for way in known]),
        "own": _both(own),
    }


def _both(values: Sequence[float]) -> dict[str, float]:
    return {"p50": round(percentile(values, 50), 3), "p95": round(percentile(values, 95), 3)}


def _way(sample: Sample, moments: dict[str, datetime]) -> Way | None:
    moments = {**moments, "answered": sample.sent_at + timedelta(milliseconds=sample.ms)}
    if set(STEPS) - set(moments):
        return None
    sent, filled = moments["sent"], moments["filled"]
    # The fill may come before the answer to the call has been read; the step is empty then.
    moments["filled"] = max(filled, moments["acknowledged"])
    steps, before = {}, sample.sent_at
    for stage in STEPS:
        steps[stage] = _ms(moments[stage] - before)
        before = moments[stage]
    return Way(steps, sample.ms, _ms(filled - sent))


def _ms(span: timedelta) -> float:
    return span.total_seconds() * 1000
