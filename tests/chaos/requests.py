"""What the load has sent and what it was answered: in memory for the checks, as JSON lines for people."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sent:
    """One HTTP request and its answer; ``status`` is None where none came: nobody knows whether it arrived.

    Requests of one ``(kind, user_id, key)`` ask for the same thing and must not have it done twice. ``target`` is the
    order that a cancel or replace speaks of.
    """

    kind: str  # alert, order, cancel, replace
    user_id: int
    key: str  # the alert's id, or the Idempotency-Key
    body: dict[str, Any]  # without secrets
    target: str
    at: dt.datetime  # aware UTC
    seconds: float
    status: int | None
    answer: dict[str, Any]
    error: str

    @property
    def accepted(self) -> bool:
        """Say whether the desk has promised to do it."""
        return self.status is not None and self.status < 300

    @property
    def order_ids(self) -> list[str]:
        """Return the ids of the orders that the answer names."""
        found = [item.get("order_id") or item.get("id") for item in self._items]
        return [str(order_id) for order_id in found if order_id]

    @property
    def cl_ord_ids(self) -> dict[str, str]:
        """Return the client order id that the answer tells of each order."""
        return {item["id"]: item["cl_ord_id"] for item in self._items if {"id", "cl_ord_id"} <= item.keys()}

    @property
    def _items(self) -> list[dict[str, Any]]:
        listed = self.answer.get("orders")
        return listed if isinstance(listed, list) else [self.answer]


class Journal:
    """Every request of a run; threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent: list[Sent] = []
        self._lock = threading.Lock()

    def add(self, sent: Sent) -> None:
        """Keep one request; it is on disk when this returns."""
        line = json.dumps(asdict(sent), default=str)
        with self._lock, self.path.open("a") as file:
            file.write(line + "\n")
            self.sent.append(sent)

    def by_class(self) -> Counter[str]:
        """Count the answers as ``2xx``, ``4xx``, ``5xx`` and ``none``."""
        return Counter("none" if sent.status is None else f"{sent.status // 100}xx" for sent in self.sent)
