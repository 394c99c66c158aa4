"""Scenes: what leads a desk past the points that no ordinary day passes.

A scene is played once the points that it is about are armed. Each takes back what it has done, or leaves that to the
stage's reversals, so that healing takes it back in any case. One that did not come off is played again.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.chaos import process_faults
from tests.chaos.arming import Hold
from tests.chaos.load import Load
from tests.chaos.operator import Operator
from tests.chaos.processes import Process
from tests.chaos.settings import LEASE_TTL_SECONDS
from tests.chaos.stage import Stage
from tests.flows.helpers import Trader

BY_ID = "/v2/orders:by_client_order_id"
OLD_SECONDS = 8
"""What a chaos run delays or delivers late has arrived by then."""
NOBODY = 1_999_999_999
POLL_SECONDS = 0.1
MENDING_SECONDS = 60.0

_SYMBOL = """
SELECT wanted.symbol FROM unnest(%s::text[]) AS wanted (symbol) WHERE NOT EXISTS (
    SELECT FROM orders_order AS o
     WHERE o.user_id = %s AND o.symbol = wanted.symbol AND o.ord_status IN ('SUBMITTED', 'INITIALIZED'))
"""
_UNKNOWN = """
SELECT o.id, o.user_id, o.cl_ord_id FROM orders_order AS o
 WHERE o.ord_status = 'SUBMITTED' AND o.user_id = ANY(%s)
   AND o.submitted_at < now() - make_interval(secs => %s) ORDER BY o.submitted_at DESC
"""
_SENDER = (
    "SELECT pid FROM orders_orderevent WHERE order_id = %s AND kind = 'Submitted' ORDER BY id DESC LIMIT 1"
)
_RESTING = """
SELECT id FROM orders_order WHERE user_id = %s AND ord_status = 'NEW' ORDER BY recorded_at DESC LIMIT 1
"""
_POOL = """
INSERT INTO orders_pooltarget (size, demand, decided_at)
SELECT CASE newest WHEN 4 THEN 2 ELSE 4 END, '{}', now() FROM
    (SELECT coalesce((SELECT size FROM orders_pooltarget ORDER BY id DESC LIMIT 1), 2) AS newest) AS known
"""


@dataclass(frozen=True)
class Set:
    """What a scene is played with."""

    stage: Stage
    load: Load
    operator: Operator
    rng: random.Random
    symbols: tuple[str, ...]
    quiet: Trader
    """A trader of class C of whom the load asks nothing: no other order has the account's fills fetched."""

    def waits_for(self, *names: str, seconds: float) -> bool:
        """Wait until somebody has run into each of these armed points; False where it took too long."""
        return self.wait(lambda: not self.armed(*names), seconds)

    def armed(self, *names: str) -> list[str]:
        """Return those of these points that nobody has passed since they were armed."""
        return [name for name in names if (self.stage.failpoints / name).exists()]

    @staticmethod
    def wait(condition: Callable[[], Any], seconds: float) -> Any:
        """Return the condition's first true value, or its last when the time is up."""
        deadline = time.monotonic() + seconds
        while not (value := condition()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return value

    def trader(self, *, class_c: bool) -> Trader:
        """Draw a trader of a class."""
        found = [trader for trader in self.stage.traders if (trader.user_id in self.stage.class_c) is class_c]
        return self.rng.choice(found or self.stage.traders)

    def order(self, trader: Trader) -> str:
        """Ask for a market order of a symbol that nothing of the trader's blocks; return its id, '' for none."""
        free = [row[0] for row in self.stage.query(_SYMBOL, list(self.symbols), trader.user_id)]
        body = {"symbol": self.rng.choice(free or list(self.symbols)), "side": "buy", "quantity": "3"}
        sent = self.load.ask("order", trader, "/api/v1/orders", body)
        return sent.order_ids[0] if sent.accepted and sent.order_ids else ""

    @contextlib.contextmanager
    def rule(self, trader: Trader, fault: dict[str, Any], **match: Any) -> Iterator[None]:
        """Have the venue follow a rule about one account for the block."""
        count = match.pop("count", None)
        rule: dict[str, Any] = {"match": {"account_id": trader.venue_account} | match, "fault": fault}
        if count is not None:
            rule["count"] = count
        rule_id = self.stage.control("POST", "/control/faults", rule)["id"]
        try:
            yield
        finally:
            self.stage.control("DELETE", f"/control/faults/{rule_id}")

    def venue_order(self, trader: Trader, order_id: str) -> str:
        """Return the venue's id of an order of ours, '' where it has none."""
        ids = self.stage.query("SELECT cl_ord_id FROM orders_order WHERE id = %s", order_id)
        query = "SELECT id FROM orders WHERE account_id = %s AND client_order_id = %s"
        rows = self.stage.query(query, trader.venue_account, ids[0][0], database="venue") if ids else []
        return str(rows[0][0]) if rows else ""

    def worker_of(self, trader: Trader) -> Process | None:
        """Return the worker that serves a trader now."""
        label = f"worker:{trader.user_id}"
        return next((process for process in self.stage.processes() if process.label == label), None)

    def kill(self, trader: Trader) -> None:
        """Kill the trader's worker."""
        worker = self.worker_of(trader)
        if worker is not None:
            worker.send(signal.SIGKILL)


# --- orders whose outcome is unknown ---


def adopt(scene: Set) -> None:
    """The venue has an order and its worker cannot find it; the operator names it."""
    trader = scene.quiet
    dropped = {"kind": "drop_response_after_accepting"}
    blind = {"kind": "error_before", "status": 503}
    with scene.rule(trader, {"kind": "stream_silence"}), scene.rule(trader, blind, path=BY_ID):
        with (
            scene.rule(trader, blind, method="GET", path="/v2/orders"),
            scene.rule(trader, blind, path="/v2/account/activities*"),
            scene.rule(trader, dropped, method="POST", path="/v2/orders", count=1),
        ):
            order_id = scene.order(trader)
            found = order_id and scene.wait(lambda: scene.venue_order(trader, order_id), 6)
            if not found:
                return
            for _ in range(4):
                said = scene.operator.adopt(order_id, found)
                if said.startswith("exit 0") or "outcome is known" in said:
                    break
        names = ("adopt.before", "adopt.after", "adopt.fills", "adopt.before_commit", "adopt.after_commit")
        scene.waits_for(*names, seconds=12)


def never_sent(scene: Set) -> None:
    """An order never arrives at a class C venue, its sender is killed, and the operator says so."""
    order = _lost_order(scene)
    if order is None:
        trader = scene.trader(class_c=True)
        with scene.rule(trader, {"kind": "drop_before_accepting"}, method="POST", path="/v2/orders", count=1):
            scene.order(trader)
        scene.wait(lambda: _lost_order(scene), OLD_SECONDS + 3)
        order = _lost_order(scene)
    if order is None:
        return
    order_id, trader = order
    senders = {row[0] for row in scene.stage.query(_SENDER, order_id)}
    for process in scene.stage.processes():
        if process.pid in senders and process.role == "worker":
            process.send(signal.SIGKILL)
    time.sleep(LEASE_TTL_SECONDS / 2)
    for _ in range(2):
        scene.operator.declare_never_sent(order_id)


def _lost_order(scene: Set) -> tuple[str, Trader] | None:
    """Return an order of class C in flight for so long that it is either at the venue or nowhere, and is nowhere."""
    rows = scene.stage.query(_UNKNOWN, list(scene.stage.class_c), OLD_SECONDS)
    traders = {trader.user_id: trader for trader in scene.stage.traders}
    for order_id, user_id, _ in rows:
        if not scene.venue_order(traders[user_id], str(order_id)):
            return str(order_id), traders[user_id]
    return None


def send_duplicate(scene: Set) -> None:
    """A class A venue takes an order, and for a while does not find it: it is sent again under its id."""
    trader = scene.trader(class_c=False)
    lagging = {"kind": "refuse", "status": 404, "code": 40410000, "message": "order not found"}
    with (
        scene.rule(trader, {"kind": "stream_silence"}),
        scene.rule(trader, lagging, path=BY_ID),
        scene.rule(
            trader,
            {"kind": "drop_response_after_accepting"},
            method="POST",
            path="/v2/orders",
            count=1,
        ),
    ):
        scene.order(trader)
        scene.waits_for("send.duplicate", seconds=8)


def check_requests(scene: Set) -> None:
    """A cancel never arrives; the order's checks look for it."""
    trader = scene.trader(class_c=False)
    rows = scene.stage.query(_RESTING, trader.user_id)
    if not rows:
        return
    with scene.rule(trader, {"kind": "drop_before_accepting"}, method="DELETE", path="/v2/orders/*", count=1):
        scene.load.ask("cancel", trader, f"/api/v1/orders/{rows[0][0]}/cancel", {}, target=str(rows[0][0]))
        scene.waits_for("request.check.noted", seconds=6)


# --- accounts ---


def unusable_account(scene: Set) -> None:
    """A trader's sealed credentials are damaged for a moment, and a new worker is to open them."""
    trader = scene.trader(class_c=False)
    resting = scene.stage.query(_RESTING, trader.user_id)
    query = "SELECT sealed_credentials FROM brokers_brokeraccount WHERE id = %s"
    sealed = scene.stage.query(query, trader.account_id)[0][0]

    def seal(text: str) -> None:
        change = "UPDATE brokers_brokeraccount SET sealed_credentials = %s WHERE id = %s"
        scene.stage.query(change, text, trader.account_id)

    def mend() -> None:
        """Put the credentials back, whatever has become of PostgreSQL meanwhile: nobody else would."""
        deadline = time.monotonic() + MENDING_SECONDS
        while True:
            try:
                return seal(sealed)
            except psycopg.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    scene.stage.reversals.after(12, mend)
    seal("damaged")
    scene.kill(trader)
    for row in resting:
        scene.load.ask("cancel", trader, f"/api/v1/orders/{row[0]}/cancel", {}, target=str(row[0]))
    scene.order(trader)
    scene.waits_for(
        "postpone.after_commit", *(["request.put_off.after_commit"] if resting else []), seconds=8
    )
    seal(sealed)


# --- workers and their leases ---


def orphaned_lease(scene: Set) -> None:
    """A worker dies while its fleet stands still: the sweeps find the lease."""
    worker = _busy_worker(scene)
    fleet = worker.session if worker is not None else None
    if worker is None or fleet is None:
        return
    scene.stage.hold(Process("fleet", fleet), Hold(LEASE_TTL_SECONDS + 1))
    worker.send(signal.SIGKILL)
    scene.waits_for("orphan.lease.before_expire", "orphan.lease.after_expire", seconds=LEASE_TTL_SECONDS + 1)


def disowned(scene: Set) -> None:
    """A worker's lease ends while Redis is away, when no worker that stands still is taken for wedged."""
    worker = _busy_worker(scene)
    if worker is None:
        return
    user_id, fleet = int(worker.label.removeprefix("worker:")), Process("fleet", worker.session or 0)
    redis = scene.stage.proxies["redis"]
    redis.black_hole()
    scene.stage.reversals.after(18, redis.heal)
    scene.stage.hold(worker, Hold(17))
    scene.stage.query("UPDATE orders_workerlease SET expires_at = now() WHERE user_id = %s", user_id)
    names = ("disowned.before_kill", "disowned.after_kill")
    scene.wait(lambda: not scene.armed(*names) or fleet.session is None, 17)
    redis.heal()


def wedged(scene: Set) -> None:
    """A worker stands still under its fleet's eyes."""
    process_faults.wedge(scene.stage, scene.rng, "worker")
    scene.waits_for("wedged.before_kill", "wedged.after_kill", seconds=process_faults.WEDGE_SECONDS)


def forkserver_dies(scene: Set) -> None:
    """A fleet's forkserver is killed, and its workers live on."""
    process_faults.kill(scene.stage, scene.rng, "forkserver")
    scene.waits_for("abandoned.before_kill", seconds=4)


def worker_dies(scene: Set) -> None:
    process_faults.kill(scene.stage, scene.rng, "worker")
    time.sleep(1)


def fleet_ends(scene: Set) -> None:
    process_faults.term(scene.stage, scene.rng, "fleet2")
    time.sleep(4)


def _busy_worker(scene: Set) -> Process | None:
    """Draw a worker that has a trader; wait a little where there is none."""

    def busy() -> list[Process]:
        return [one for one in scene.stage.processes() if one.role == "worker" and one.label != "worker:pool"]

    found: list[Process] = scene.wait(busy, 4)
    return scene.rng.choice(found) if found else None


# --- upkeep ---


def pool_target(scene: Set) -> None:
    """The pool's target is one that today's demand does not ask for: it is decided anew, and the fleets follow."""
    scene.stage.query(_POOL)
    names = ("pool.decide.before_commit", "pool.decide.after_commit", "sweep.pool.after", "sweep.pool.before")
    scene.waits_for(*names, "shrink.before", "leave_pool.before", seconds=9)


def market_hours(scene: Set) -> None:
    """The markets' calendars were read too long ago: they are read anew."""
    scene.stage.query(
        "UPDATE orders_marketsession SET refreshed_at = refreshed_at - interval '2 days' RETURNING id"
    )
    scene.waits_for("hours.before_commit", "hours.after_commit", seconds=9)


def queue_of_nobody(scene: Set) -> None:
    """A message lies in the queue of a trader who does not exist."""
    with scene.stage.redis() as client:
        client.lpush(f"user.{NOBODY}", "{}")
    scene.waits_for("orphan.queue.before_purge", "orphan.queue.after_purge", seconds=6)


def dead_letter(scene: Set) -> None:
    """The orphans' upkeep fails three times in a row; then the operator settles its dead letter, one way or other."""
    open_letters = "SELECT count(*) FROM orders_deadletter WHERE resolved_at IS NULL"
    written = ("dead_letter.before_commit", "dead_letter.after_commit")
    deadline = time.monotonic() + 16
    while time.monotonic() < deadline:
        if not scene.armed(*written) and scene.stage.query(open_letters)[0][0]:
            break
        if not scene.armed("orphan.replies.before_trim"):
            scene.stage.arming.arm("orphan.replies.before_trim", "fail")
        time.sleep(POLL_SECONDS)
    (scene.stage.failpoints / "orphan.replies.before_trim").unlink(missing_ok=True)
    if scene.armed("dead_letter.resolve.before_commit"):
        scene.operator.resolve_letter()
    if scene.armed(
        "dead_letter.retry.before", "dead_letter.retry.after", "dead_letter.success.before_commit"
    ):
        for _ in range(3):
            scene.operator.retry_letter()
            if not scene.armed("dead_letter.retry.before", "dead_letter.retry.after"):
                break
    scene.waits_for("dead_letter.success.before_commit", seconds=4)


SCENES: dict[str, Callable[[Set], None]] = {
    "abandoned.": forkserver_dies,
    "adopt.": adopt,
    "dead_letter.": dead_letter,
    "disowned.": disowned,
    "hours.": market_hours,
    "leave_pool.": pool_target,
    "orphan.lease.": orphaned_lease,
    "orphan.queue.": queue_of_nobody,
    "pool.": pool_target,
    "postpone.": unusable_account,
    "reap.": worker_dies,
    "request.check.": check_requests,
    "request.put_off.": unusable_account,
    "resolve.adopt.": adopt,
    "resolve.never_sent.": never_sent,
    "send.duplicate": send_duplicate,
    "shrink.": pool_target,
    "stop.": fleet_ends,
    "sweep.pool.": pool_target,
    "wedged.": wedged,
}
"""Which scene leads past a point, by how its name begins."""


def scene_of(point: str) -> Callable[[Set], None] | None:
    """Return the scene that leads past a point; None where an ordinary day does, or one with faults."""
    return next((scene for start, scene in SCENES.items() if point.startswith(start)), None)
