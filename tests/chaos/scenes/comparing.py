"""Scenes of accounts that their brokers know otherwise: somebody else trades, a stream is silent, shares are split."""

from __future__ import annotations

import time

import httpx
import psycopg

from tests.chaos.scenes.orders import MENDING_SECONDS, SILENCE
from tests.chaos.scenes.scene import POLL_SECONDS, Scene
from tests.flows.helpers import Trader

SYMBOL = "BOOKS"
"""Not among the symbols of the load: these scenes alone move its price."""
PRICE = "100"
RESTING = {"symbol": SYMBOL, "order_type": "LIMIT", "price": "70"}
BOOKING = ("reconcile.book.before_commit", "reconcile.book.after_commit")

_HELD = "SELECT qty FROM orders_position WHERE user_id = %s AND symbol = %s AND qty <> 0"
_OPEN_FINDING = """
SELECT 1 FROM orders_reconciliationfinding WHERE user_id = %s AND symbol = %s AND resolved_at IS NULL
"""
_HALTED = "SELECT 1 FROM orders_accounthalt WHERE user_id = %s AND lifted_at IS NULL"
# The next comparison begins its reading after everything that is listed: it asks for each working order.
_LOOK_AHEAD = """
UPDATE orders_reconciliationrun SET started_at = now() + interval '30 minutes'
 WHERE id = (SELECT max(id) FROM orders_reconciliationrun WHERE user_id = %s AND finished_at IS NOT NULL)
"""


def outside_orders(scene: Scene) -> None:
    """Somebody else trades the account; the desk compares itself with the exchange."""
    trader = scene.quiet_a
    terms = {"qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
    order = {"account_id": trader.venue_account, "symbol": sorted(scene.prices)[0]} | terms

    def act() -> None:
        scene.stage.control("POST", "/control/orders", order)
        _compare(scene, trader)
        scene.hand_out("sweeps.reconcile")
        scene.wait_passed(6)

    scene.repeat(act, 30)


def missed_facts(scene: Scene) -> None:
    """The stream is silent while a resting order is filled, and another is too old to be listed."""
    trader = scene.quiet_a

    def act() -> None:
        _price(scene, PRICE)
        resting = scene.order(trader, **RESTING)
        if not scene.wait(lambda: scene.status(resting) == "NEW", 8):
            return
        with scene.rule(trader, SILENCE):
            _price(scene, "60")
            _compare(scene, trader)  # before the order is checked
            scene.wait_passed(4)
        _price(scene, PRICE)
        resting = scene.resting_order(trader)
        scene.stage.query(_LOOK_AHEAD, trader.user_id)
        _compare(scene, trader)
        scene.wait_passed(4)
        if resting:
            scene.change(trader, resting, "cancel")

    scene.repeat(act, 40)


def journal_entries(scene: Scene) -> None:
    """The broker's office books a share in, which no execution explains: so does the desk, at its second look."""
    trader = scene.quiet_a
    entry = {"account_id": trader.venue_account, "symbol": SYMBOL, "side": "buy", "qty": "1", "price": PRICE}

    def act() -> None:
        _price(scene, PRICE)
        scene.order(trader, symbol=SYMBOL)  # whoever has nothing is not compared
        scene.stage.control("POST", "/control/positions/journal", entry)
        for _ in range(3):
            _compare(scene, trader)
            scene.wait_passed(3)

    scene.repeat(act, 40)


def left_exits(scene: Scene) -> None:
    """A position is closed outside while an exit of it rests."""
    trader = scene.quiet_a
    exit_ = {**RESTING, "side": "sell", "position_effect": "CLOSE", "price": "140"}
    closing = {"account_id": trader.venue_account, "symbol": SYMBOL}

    def act() -> None:
        _price(scene, PRICE)
        scene.order(trader, symbol=SYMBOL)
        if not scene.wait(lambda: _is_held(scene, trader), 6):
            return
        exit_id = scene.order(trader, **exit_)
        scene.wait(lambda: scene.status(exit_id) == "NEW", 6)
        scene.stage.control("POST", "/control/positions/close", closing)
        for _ in range(3):
            _compare(scene, trader)
            scene.wait_passed(3)

    scene.repeat(act, 40)


def splits(scene: Scene) -> None:
    """Shares are split: the account is halted, until an operator books what there is now or lifts the halt."""
    trader = scene.quiet_a

    def act() -> None:
        _price(scene, PRICE)
        scene.order(trader, symbol=SYMBOL)
        if not scene.wait(lambda: _is_held(scene, trader), 6):
            return
        _split(scene, old=1, new=2)
        if not scene.wait(lambda: _compare(scene, trader) or scene.stage.query(_HALTED, trader.user_id), 12):
            return
        if scene.armed(*BOOKING):
            scene.operator.book(trader.user_id)
        else:
            scene.operator.lift(trader.user_id)

    try:
        scene.repeat(act, 60)
    finally:
        _settle(scene, trader)


def _settle(scene: Scene, trader: Trader) -> None:
    """Leave no split open, whoever has died at it: book it; one whose halt was lifted, together with the next."""
    deadline = time.monotonic() + MENDING_SECONDS
    while time.monotonic() < deadline:
        try:
            if scene.stage.query(_HALTED, trader.user_id):
                scene.operator.book(trader.user_id)
            elif not _differs(scene, trader):
                return
            else:
                _split(scene, old=1, new=2)
                scene.wait(lambda: _compare(scene, trader) or scene.stage.query(_HALTED, trader.user_id), 12)
        except (psycopg.Error, httpx.HTTPError):
            pass  # PostgreSQL or the venue is away, and comes back
        time.sleep(POLL_SECONDS)


def _differs(scene: Scene, trader: Trader) -> bool:
    """Say whether the venue holds anything else than the desk."""
    query = "SELECT qty FROM position WHERE account_id = %s AND symbol = %s AND qty <> 0"
    theirs = scene.stage.query(query, trader.venue_account, SYMBOL, database="venue")
    return theirs != scene.stage.query(_HELD, trader.user_id, SYMBOL)


def _compare(scene: Scene, trader: Trader) -> None:
    scene.load.insist("reconcile", trader, f"/api/v1/accounts/{trader.account_id}/reconcile", {})


def _split(scene: Scene, *, old: int, new: int) -> None:
    scene.stage.control("POST", "/control/splits", {"symbol": SYMBOL, "old": old, "new": new})


def _price(scene: Scene, price: str) -> None:
    scene.stage.control("POST", "/control/prices", {"symbol": SYMBOL, "price": price})


def _is_held(scene: Scene, trader: Trader) -> bool:
    return bool(scene.stage.query(_HELD, trader.user_id, SYMBOL))
