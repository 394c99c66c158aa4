"""One order's way through the desk, read from what the API tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tradingsite.demo.trades import Fill

STAGES = ("received", "recorded", "dequeued", "sent", "acknowledged", "replied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The moments of one order, aware UTC, and who sent it. ``stages`` lacks what has not been reached."""

    order: Mapping[str, Any]
    stages: Mapping[str, datetime]
    submitted_at: datetime | None  # transaction 1
    worker: str
    pid: int | None
    epoch: int | None
    fills: Sequence[Fill]

    def ms(self, moment: datetime) -> float:
        """Return the milliseconds from the alert's receipt."""
        return (moment - self.stages["received"]).total_seconds() * 1000


def read_way(detail: Mapping[str, Any]) -> Way:
    """Read the answer of ``GET /api/v1/orders/{id}``. Raises ``KeyError`` and ``ValueError`` on another."""
    events = detail["events"]
    stages: dict[str, datetime] = {}
    for event in events:
        for stage, moment in event["stages"].items():
            stages.setdefault(stage, datetime.fromisoformat(moment))
    submitted = [event for event in events if event["kind"] == "Submitted"]
    sender = submitted[-1] if submitted else {}
    return Way(
        order=detail,
        stages=stages,
        submitted_at=datetime.fromisoformat(sender["at"]) if sender else None,
        worker=sender.get("worker") or "",
        pid=sender.get("pid"),
        epoch=sender.get("epoch"),
        fills=[
            Fill(
                exec_id=fill["exec_id"],
                side=detail["side"],
                qty=Decimal(fill["last_qty"]),
                px=Decimal(fill["last_px"]),
                at=datetime.fromisoformat(fill["transact_time"]),
            )
            for fill in detail["fills"]
        ],
    )
