"""Scenes of positions: reversed, flattened, protected, and moved behind the desk's back."""

from __future__ import annotations

from tests.chaos.scenes.scene import Scene
from tests.flows.helpers import Trader

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
    """A position comes with a stop and a target, and is closed while both rest."""
    trader, symbol = scene.quiet_a, _symbol(scene)
    exits = {"stop_loss": {"percent": "20"}, "take_profit": {"percent": "20"}}

    def act() -> None:
        scene.order(trader, symbol=symbol, **exits)
        scene.wait(lambda: scene.stage.query(_PROTECT, trader.user_id, symbol), 6)
        scene.hand_out("sweeps.protection")
        _flatten(scene, trader, symbol)
        scene.wait_passed(4)

    scene.repeat(act, 30)


def compare(scene: Scene) -> None:
    """Somebody else trades the account; the desk compares itself with the exchange."""
    trader, symbol = scene.quiet_a, _symbol(scene)
    outside = {
        "account_id": trader.venue_account,
        "symbol": symbol,
        "qty": "2",
        "side": "buy",
        "type": "market",
    }

    def act() -> None:
        scene.stage.control("POST", "/control/orders", outside)
        scene.load.insist("reconcile", trader, f"/api/v1/accounts/{trader.account_id}/reconcile", {})
        scene.hand_out("sweeps.reconcile")
        scene.wait_passed(6)

    scene.repeat(act, 30)


def _flatten(scene: Scene, trader: Trader, symbol: str) -> None:
    scene.load.insist("flatten", trader, "/api/v1/flatten", {"symbol": symbol})


def _symbol(scene: Scene) -> str:
    return sorted(scene.prices)[0]
