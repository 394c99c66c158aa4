"""What is said of a row of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

PERCENTILES = (50, 95, 99)


def percentile(values: Sequence[float], share_pct: float) -> float:
    """Return the nearest-rank percentile: a value that was measured. Raises ``ValueError`` for no values."""
    if not values:
        raise ValueError("there are no values")
    rank = max(math.ceil(len(values) * share_pct / 100), 1)
    return sorted(values)[rank - 1]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99, max and mean, rounded to microseconds where ``values`` are milliseconds."""
    found = {f"p{share}": percentile(values, share) for share in PERCENTILES}
    found |= {"max": max(values), "mean": fmean(values)}
    return {name: round(value, 3) for name, value in found.items()}
