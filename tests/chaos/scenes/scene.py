"""What a scene is played with, and how it waits for those whom it leads past the armed points."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from celery import Celery

from desk.processes import Identity
from tests.chaos.load import CENT, Load
from tests.chaos.operator import Operator
from tests.chaos.processes import Process
from tests.chaos.stage import Stage
from tests.flows.helpers import Trader

POLL_SECONDS = 0.1
RESTING_SECONDS = 8.0
FLEETS = ("fleet", "fleet2")

_FREE = """
SELECT wanted.symbol FROM unnest(%s::text[]) AS wanted (symbol) WHERE NOT EXISTS (
    SELECT FROM orders_order AS o
     WHERE o.user_id = %s AND o.symbol = wanted.symbol AND o.ord_status IN ('SUBMITTED', 'INITIALIZED'))
"""
_VENUE_ID = "SELECT id FROM orders WHERE account_id = %s AND client_order_id = %s"


@dataclass(frozen=True)
class Scene:
    """The stage, who acts on it, and the points that this scene is played for."""

    stage: Stage
    load: Load
    operator: Operator
    rng: random.Random
    prices: Mapping[str, Decimal]
    quiet_a: Trader
    """A trader of class A of whom the load asks nothing: the venue's rules about this account strike scenes only."""
    quiet_c: Trader
    """The same of class C."""
    points: Sequence[str] = ()
    curtain: threading.Event = field(default_factory=threading.Event)
    """Set when the whole run is ended: no scene waits any longer."""

    def about(self, points: Sequence[str]) -> Scene:
        """Return the same scene, played for these points."""
        return replace(self, points=tuple(points))

    # --- waiting ---

    def armed(self, *names: str) -> list[str]:
        """Return those points (all of the scene's where none is named) that nobody has passed since they were armed."""
        return [name for name in names or self.points if (self.stage.failpoints / name).exists()]

    def repeat(self, act: Callable[[], object], patience_seconds: float) -> bool:
        """Act again and again until all of the scene's points were passed; return whether they were.

        Gives up once nobody has passed any of them for so many seconds.
        """
        left, passed_at = self.armed(), time.monotonic()
        while left and time.monotonic() - passed_at < patience_seconds and not self.curtain.is_set():
            act()
            if len(now := self.armed()) < len(left):
                passed_at = time.monotonic()
            left = now
        return not left

    def wait_passed(self, patience_seconds: float) -> bool:
        """Wait until all of the scene's points were passed; give up as ``repeat`` does."""
        return self.repeat(lambda: self.curtain.wait(POLL_SECONDS), patience_seconds)

    def wait(self, condition: Callable[[], Any], seconds: float) -> Any:
        """Return the condition's first true value, or its last when the time is up."""
        deadline = time.monotonic() + seconds
        while not (value := condition()) and time.monotonic() < deadline and not self.curtain.is_set():
            self.curtain.wait(POLL_SECONDS)
        return value

    # --- orders ---

    def trader(self) -> Trader:
        """Draw one of the load's traders of class A."""
        return self.rng.choice([one for one in self.stage.traders if one.user_id not in self.stage.class_c])

    def order(self, trader: Trader, **terms: Any) -> str:
        """Ask for an order of a symbol that nothing of the trader's blocks; return its id, '' where none came of it."""
        free = [row[0] for row in self.stage.query(_FREE, sorted(self.prices), trader.user_id)]
        symbol = self.rng.choice(sorted(free) or sorted(self.prices))
        body = {"symbol": symbol, "side": "buy", "quantity": "3"} | terms
        if "order_type" in terms and "price" not in terms:  # far below the market, where it rests
            body["price"] = str((self.prices[symbol] * Decimal("0.7")).quantize(CENT))
        sent = self.load.insist("order", trader, "/api/v1/orders", body)
        return sent.order_ids[0] if sent.accepted and sent.order_ids else ""

    def resting_order(self, trader: Trader) -> str:
        """Have a limit order rest at the venue; return its id, '' where it does not get there in time."""
        order_id = self.order(trader, order_type="LIMIT")
        rests = order_id and self.wait(lambda: self.status(order_id) == "NEW", RESTING_SECONDS)
        return order_id if rests else ""

    def change(self, trader: Trader, order_id: str, what: str, **terms: str) -> None:
        """Ask for a cancel or replace."""
        self.load.insist(what, trader, f"/api/v1/orders/{order_id}/{what}", terms, target=order_id)

    def status(self, order_id: str) -> str:
        """Return what the desk says of an order; '' of one that did not come about."""
        query = "SELECT ord_status FROM orders_order WHERE id = %s"
        rows = self.stage.query(query, order_id) if order_id else []
        return str(rows[0][0]) if rows else ""

    def venue_order(self, trader: Trader, order_id: str) -> str:
        """Return the venue's id of an order of ours, '' where it has none."""
        ids = self.stage.query("SELECT cl_ord_id FROM orders_order WHERE id = %s", order_id)
        account = trader.venue_account
        rows = self.stage.query(_VENUE_ID, account, ids[0][0], database="venue") if ids else []
        return str(rows[0][0]) if rows else ""

    # --- the sweeps ---

    def hand_out(self, task: str, *args: object) -> None:
        """Publish one case of the maintenance, as its coordinator does, but for however long it waits for its turn.

        The coordinator's own rounds are dropped where the sweeps lag behind; raises ``OperationalError`` of kombu.
        """
        broker = f"redis+socket://{self.stage.desk.home.redis_socket}?virtual_host=0"
        with Celery(broker=broker, set_as_current=False) as app:
            app.send_task(task, args=list(args), queue="sweeps")

    # --- the venue's rules ---

    @contextlib.contextmanager
    def rule(
        self, trader: Trader, fault: Mapping[str, Any], *, count: int | None = None, **match: str
    ) -> Iterator[str]:
        """Have the venue follow a rule about one account for the block; give its id."""
        rule: dict[str, Any] = {"match": {"account_id": trader.venue_account} | match, "fault": dict(fault)}
        if count is not None:
            rule["count"] = count
        rule_id = str(self.stage.control("POST", "/control/faults", rule)["id"])
        try:
            yield rule_id
        finally:
            self.stage.control("DELETE", f"/control/faults/{rule_id}")

    def is_used_up(self, rule_id: str) -> bool:
        """Say whether a rule with a count has struck as often as it was to."""
        return all(rule["id"] != rule_id for rule in self.stage.control("GET", "/control/faults"))

    # --- processes ---

    def worker_of(self, trader: Trader) -> Process | None:
        """Return the worker that serves a trader now."""
        label = f"worker:{trader.user_id}"
        return next((process for process in self.stage.processes() if process.label == label), None)

    def pick(self, role: str, *, busy: bool = False) -> tuple[Process, Process] | None:
        """Draw a process of a role under a living fleet, and return it with that fleet; wait a little for one.

        ``busy`` takes only workers that have a trader.
        """

        def found() -> list[tuple[Process, Process]]:
            everybody = self.stage.processes()
            fleets = {process.pid: process for process in everybody if process.role in FLEETS}
            return [
                (process, fleets[process.session])
                for process in everybody
                if process.role == role and process.session in fleets
                if not (busy and process.label == "worker:pool")
            ]

        pairs = self.wait(found, 5.0)
        return self.rng.choice(pairs) if pairs else None

    def forget_dead_fleets(self) -> None:
        """Take the fleets that were killed off the desk's list at once, as 20 s of silence would.

        Until then the desk thinks that they may live in a container of their own, and calls nobody dead.
        """
        for (name,) in self.stage.query("SELECT name FROM orders_heartbeat WHERE part = 'fleet'"):
            if Identity.of(int(name.rpartition(":")[2])) is None:
                self.stage.query("DELETE FROM orders_heartbeat WHERE name = %s", name)
