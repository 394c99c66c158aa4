"""The Prefer header (RFC 7240): how long the sender is willing to wait for an order's outcome."""

from __future__ import annotations

import re
from typing import NamedTuple

_WAIT = re.compile(r"wait\s*=\s*\"?([0-9]{1,4})\"?", re.IGNORECASE)


class Waiting(NamedTuple):
    """How long to wait, and the preference that this follows ('' where the desk decides)."""

    seconds: float
    applied: str


def waiting_for(prefer: str | None, longest_seconds: float) -> Waiting:
    """Return how long to wait: never longer than the desk would by itself. What is not understood is ignored.

    >>> waiting_for("wait=5", 30.0)
    Waiting(seconds=5.0, applied='wait=5')
    """
    for preference in (prefer or "").split(","):
        text = preference.partition(";")[0].strip()
        if text.lower() == "respond-async":
            return Waiting(0.0, "respond-async")
        if match := _WAIT.fullmatch(text):
            seconds = int(match[1])
            return Waiting(min(float(seconds), longest_seconds), f"wait={seconds}")
    return Waiting(longest_seconds, "")
