"""The measurements themselves, against a desk that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from orders.models import Order
from orders.services.provisioning import NewTrader, TraderOptions, create_traders
from tradingsite.bench.database import per_alert, read_counters
from tradingsite.bench.fleet import bound_pids, idle_pids, memory_mb, wait_for_pool
from tradingsite.bench.load import Line, Sample, one_after_the_other, side_by_side
from tradingsite.bench.machine import describe_machine
from tradingsite.bench.numbers import summary
from tradingsite.bench.resting import measure_resting
from tradingsite.bench.stages import describe, ways_of
from tradingsite.bench.venue import measure_venue

SIDE_BY_SIDE = 10
SETTLE_SECONDS = 0.5  # the last stage of the last order is written after its answer
BURST_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure."""

    alerts: int = 300
    warm_up: int = 30
    cold: int = 20
    burst: int = 100
    resting: int = 20  # of each trader, ten of them


def measure(url: str, plan: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything and return it; ``tell`` hears what is going on. Takes minutes."""
    result: dict[str, Any] = {"machine": describe_machine(), "pool": settings.FLEET_POOL_SIZE, "runs": {}}
    tell("the exchange alone")
    result["venue"] = measure_venue(min(plan.alerts, 100))
    runs = result["runs"]
    tell(f"warm, one trader, {plan.alerts} alerts one after the other")
    [line] = _new_lines(1, url)
    runs["warm"], result["database"] = _warm(line, plan)
    tell(f"warm, {SIDE_BY_SIDE} traders at the same time")
    runs["warm_10"] = _warm_side_by_side(_new_lines(SIDE_BY_SIDE, url), plan)
    tell(f"cold, {plan.cold} traders whom no worker serves, the pool full each time")
    runs["cold"] = _cold(_new_lines(plan.cold, url))
    tell(f"one trader, {plan.burst} alerts at once")
    runs["burst"] = _burst(line, plan.burst, url)
    tell(f"{SIDE_BY_SIDE} traders with {plan.resting} resting orders each, met one after the other")
    result["resting"] = measure_resting(_warm_traders(url), plan.resting, url)
    result["memory_mb"] = {"bound": memory_mb(bound_pids()), "idle": memory_mb(idle_pids())}
    line.close()
    return result


def _new_lines(count: int, url: str) -> list[Line]:
    return [Line(trader, url) for trader in create_traders(count=count, options=TraderOptions())]


def _warm_traders(url: str) -> list[NewTrader]:
    """Return traders who have a worker each."""
    lines = _new_lines(SIDE_BY_SIDE, url)
    for line in lines:
        line.send()
        line.close()
        wait_for_pool(settings.FLEET_POOL_SIZE)
    return [line.trader for line in lines]


def _warm(line: Line, plan: Plan) -> tuple[dict[str, Any], dict[str, float]]:
    one_after_the_other(line, plan.warm_up)
    first_idle, before = read_counters(), read_counters()
    samples = one_after_the_other(line, plan.alerts)
    counted = per_alert(before, read_counters(), (first_idle, before), plan.alerts)
    return _described(samples), counted


def _warm_side_by_side(lines: Sequence[Line], plan: Plan) -> dict[str, Any]:
    for line in lines:
        one_after_the_other(line, max(plan.warm_up // len(lines), 1))
        wait_for_pool(settings.FLEET_POOL_SIZE)
    started = time.perf_counter()
    samples = side_by_side(lines, max(plan.alerts // len(lines), 1))
    seconds = time.perf_counter() - started
    return {**_described(samples), "alerts_per_second": round(len(samples) / seconds, 1)}


def _cold(lines: Sequence[Line]) -> dict[str, Any]:
    samples = []
    for line in lines:
        wait_for_pool(settings.FLEET_POOL_SIZE)
        samples.append(line.send())
        line.close()
    return _described(samples)


def _burst(line: Line, alerts: int, url: str) -> dict[str, Any]:
    """Send all at once; the worker's throughput is from the first order recorded to the last one filled."""
    lines = [Line(line.trader, url) for _ in range(alerts)]
    samples = side_by_side(lines, 1)
    orders = Order.objects.filter(id__in=[sample.order_id for sample in samples])
    end = time.monotonic() + BURST_SECONDS
    while orders.exclude(ord_status="FILLED").exists() and time.monotonic() < end:
        time.sleep(0.1)
    known = list(orders.values_list("recorded_at", "transact_time", "ord_status"))
    filled = [(recorded, at) for recorded, at, status in known if status == "FILLED" and at is not None]
    span = max(at for _, at in filled) - min(recorded for recorded, _ in filled)
    return {
        **_described(samples),
        "filled": len(filled),
        "orders_per_second": round(len(filled) / span.total_seconds(), 1),
    }


def _described(samples: Sequence[Sample]) -> dict[str, Any]:
    time.sleep(SETTLE_SECONDS)
    return {
        "alerts": len(samples),
        "answered_filled": sum(sample.filled for sample in samples),
        "ms": summary([sample.ms for sample in samples]),
        "stages": describe(ways_of(samples)),
    }
