"""Scenes of positions: reversed, flattened, protected."""

from __future__ import annotations

from tests.chaos.scenes.orders import ANSWER_LOST, NEW_ORDERS
from tests.chaos.scenes.scene import Scene
from tests.flows.helpers import Trader

EXITS = {"stop_loss": {"percent": "20"}, "take_profit": {"percent": "20"}}

_FLAT = "SELECT 1 FROM orders_position WHERE user_id = %s AND symbol = %s AND qty <> 0"
_PROTECT = (
    "SELECT 1 FROM orders_order WHERE user_id = %s AND symbol = %s AND leg <> '' AND ord_status = 'NEW'"
)


def reverse(scene: Scene) -> None:
    """A trader enters on one side, then on the other: the desk closes what is held first."""
    trader, symbol = scene.quiet_a, _symbol(scene)

    def act() -> None:
        for side in ("buy", "sell"):
            scene.order(trader, symbol=symbol, side=side)
        scene.wait_passed(4)

    scene.repeat(act, 30)


def flatten(scene: Scene) -> None:
    """A trader holds something, has more on order, and closes everything at once."""
    trader, symbol = scene.quiet_a, _symbol(scene)

    def act() -> None:
        scene.order(trader, symbol=symbol)
        scene.wait(lambda: scene.stage.query(_FLAT, trader.user_id, symbol), 4)
        scene.order(trader, symbol=symbol, order_type="LIMIT")
        _flatten(scene, trader, symbol)
        scene.wait_passed(4)

    scene.repeat(act, 30)


def protect(scene: Scene) -> None:
    """A position comes with a stop and a target, grows, and is closed while both rest."""
    trader, symbol = scene.quiet_a, _symbol(scene)

    def act() -> None:
        scene.order(trader, symbol=symbol, **EXITS)
        scene.wait(lambda: scene.stage.query(_PROTECT, trader.user_id, symbol), 6)
        scene.order(trader, symbol=symbol)  # the exits follow in a moment
        scene.hand_out("sweeps.protection")
        _flatten(scene, trader, symbol)
        scene.wait_passed(4)

    scene.repeat(act, 30)


def lost_pairs(scene: Scene) -> None:
    """The venue drops its answer to a stop and a target, and its stream names the target alone."""
    trader, symbol = scene.quiet_a, _symbol(scene)

    def act() -> None:
        with scene.rule(trader, ANSWER_LOST, **NEW_ORDERS):
            scene.order(trader, symbol=symbol, **EXITS)
            scene.wait_passed(6)
        _flatten(scene, trader, symbol)
        scene.curtain.wait(2)

    scene.repeat(act, 30)


def _flatten(scene: Scene, trader: Trader, symbol: str) -> None:
    scene.load.insist("flatten", trader, "/api/v1/flatten", {"symbol": symbol})


def _symbol(scene: Scene) -> str:
    return sorted(scene.prices)[0]
