"""Scenes of orders: an ordinary day, and outcomes that nobody knows."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack

import psycopg

from tests.chaos.scenes.scene import POLL_SECONDS, Scene

NEW_ORDERS = {"method": "POST", "path": "/v2/orders"}
BY_ID = "/v2/orders:by_client_order_id"
SILENCE = {"kind": "stream_silence"}
ANSWER_LOST = {"kind": "drop_response_after_accepting"}
REQUEST_LOST = {"kind": "drop_before_accepting"}
BLIND = {"kind": "error_before", "status": 503}
NOT_FOUND = {"kind": "refuse", "status": 404, "code": 40410000, "message": "order not found"}
OLD_SECONDS = 8
"""What a chaos run delays or delivers late has arrived by then."""
TRIES = 5
MENDING_SECONDS = 60.0

_UNKNOWN = """
SELECT id::text FROM orders_order WHERE user_id = %s AND ord_status = 'SUBMITTED'
   AND submitted_at < now() - make_interval(secs => %s) ORDER BY submitted_at DESC
"""
_AGE = """
UPDATE orders_order SET received_at = received_at - interval '1 minute'
 WHERE id = %s AND ord_status = 'INITIALIZED'
"""
_SENDER = """
SELECT pid, epoch FROM orders_orderevent WHERE order_id = %s AND kind = 'Submitted' ORDER BY id DESC LIMIT 1
"""
_HELD = "SELECT FROM orders_workerlease WHERE user_id = %s AND epoch = %s AND expires_at > now()"


def everyday(scene: Scene) -> None:
    """A trader loses the worker, buys, changes a resting order and cancels it; again and again."""
    trader = scene.quiet_a

    def act() -> None:
        worker = scene.worker_of(trader)
        if worker is not None:
            worker.send(signal.SIGKILL)
        scene.order(trader)
        order_id = scene.resting_order(trader)
        if order_id:
            scene.change(trader, order_id, "replace", order_qty="4")
            scene.change(trader, order_id, "cancel")

    scene.repeat(act, 15)


def lost_answers(scene: Scene) -> None:
    """The venue takes every order, drops its answer, and tells nobody of the fill."""
    with scene.rule(scene.quiet_a, SILENCE), scene.rule(scene.quiet_a, ANSWER_LOST, **NEW_ORDERS):
        scene.repeat(lambda: scene.order(scene.quiet_a) and scene.wait_passed(4), 12)


def send_duplicate(scene: Scene) -> None:
    """A class A venue takes an order, and for a while does not find it: it is sent again under its id."""
    trader = scene.quiet_a
    with scene.rule(trader, SILENCE), scene.rule(trader, NOT_FOUND, path=BY_ID):
        with scene.rule(trader, ANSWER_LOST, **NEW_ORDERS):
            scene.repeat(lambda: scene.order(trader) and scene.wait_passed(6), 12)


def put_back(scene: Scene) -> None:
    """The venue takes no order yet, and the entry grows too old (by a clock put forward) before it does."""
    trader = scene.quiet_a

    def act() -> None:
        order_id = scene.order(trader)
        if order_id and scene.wait(lambda: scene.status(order_id) == "INITIALIZED", 3):
            scene.stage.query(_AGE, order_id)
            scene.wait_passed(6)

    with scene.rule(trader, {"kind": "rate_limit", "retry_after": 30}, **NEW_ORDERS):
        scene.repeat(act, 12)


def never_sent(scene: Scene) -> None:
    """An order never arrives at a class C venue, its sender is killed, and the operator says so."""
    order_id = _lost_before(scene) or _lose_order(scene)
    if not order_id:
        return
    scene.wait(lambda: all(name.startswith("resolve.") for name in scene.armed()), 6)
    pid, epoch = scene.stage.query(_SENDER, order_id)[0]
    for process in scene.stage.processes():
        if process.pid == pid and process.role == "worker":
            process.send(signal.SIGKILL)
    scene.wait(lambda: not scene.stage.query(_HELD, scene.quiet_c.user_id, epoch), 8)
    for _ in range(TRIES):
        scene.forget_dead_fleets()
        said = scene.operator.declare_never_sent(order_id)
        if said.startswith("exit 0") or "outcome is known" in said:
            return


def _lost_before(scene: Scene) -> str:
    """Return an order that an earlier scene has lost, so old that it is at the venue or nowhere, and is nowhere."""
    rows = scene.stage.query(_UNKNOWN, scene.quiet_c.user_id, OLD_SECONDS)
    return next((row[0] for row in rows if not scene.venue_order(scene.quiet_c, row[0])), "")


def _lose_order(scene: Scene) -> str:
    """Have an order get lost inside the venue; return its id once it is certain that it is nowhere else."""
    with scene.rule(scene.quiet_c, REQUEST_LOST, count=1, **NEW_ORDERS) as rule_id:
        order_id = scene.order(scene.quiet_c)
        is_lost = order_id and scene.wait(lambda: scene.is_used_up(rule_id), 6)
    return order_id if is_lost and scene.status(order_id) == "SUBMITTED" else ""


def adopt(scene: Scene) -> None:
    """The venue has an order and its worker cannot find it; the operator names it."""
    trader = scene.quiet_c
    with ExitStack() as found_by_nobody, scene.rule(trader, SILENCE), scene.rule(trader, BLIND, path=BY_ID):
        for match in ({"method": "GET", "path": "/v2/orders"}, {"path": "/v2/account/activities*"}):
            found_by_nobody.enter_context(scene.rule(trader, BLIND, **match))
        with scene.rule(trader, ANSWER_LOST, count=1, **NEW_ORDERS):
            order_id = scene.order(trader)
        theirs = order_id and scene.wait(lambda: scene.venue_order(trader, order_id), 6)
        if not theirs:
            return
        for _ in range(TRIES):
            said = scene.operator.adopt(order_id, theirs)
            if said.startswith("exit 0") or "outcome is known" in said:
                break
        found_by_nobody.close()
        scene.wait_passed(10)


def unusable_account(scene: Scene) -> None:
    """A trader's sealed credentials are damaged for a while, and a new worker is to open them."""
    trader = scene.trader()
    resting = scene.resting_order(trader)
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

    def act() -> None:
        worker = scene.worker_of(trader)
        if worker is not None:  # a living one has opened them before
            worker.send(signal.SIGKILL)
        if resting:
            scene.change(trader, resting, "cancel")
        scene.order(trader)
        scene.wait_passed(4)

    seal("damaged")
    try:
        scene.repeat(act, 12)
    finally:
        mend()
