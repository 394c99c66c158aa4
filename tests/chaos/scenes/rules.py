"""Scenes of exit rules: a position gains, and the desk closes it by itself."""

from __future__ import annotations

from tests.chaos.scenes.orders import NEW_ORDERS
from tests.chaos.scenes.requests import REFUSAL
from tests.chaos.scenes.scene import Scene
from tests.flows.helpers import Trader

SYMBOL = "GAINS"
"""Not among the symbols of the load: this scene alone moves its price."""
QUOTES = {"method": "GET", "path": "/v2/stocks/quotes/latest"}
SILENT = {"kind": "error_before", "status": 503}
WAITS = ("exit_rule.staleness", "exit_rule.stale_told")
SETTLED = "exit_rule.settled"

_SET = """
INSERT INTO orders_exitrules (user_id, stands_alone, profit_target_pct, updated_at) VALUES (%s, false, 10, now())
ON CONFLICT DO NOTHING
"""
_UNSET = "DELETE FROM orders_exitrules WHERE user_id = %s"
_HELD = "SELECT 1 FROM orders_position WHERE user_id = %s AND symbol = %s AND qty <> 0"
_FAILED = """
SELECT 1 FROM orders_attentionitem WHERE user_id = %s AND kind = 'EXIT_RULE_FAILED' AND resolved_at IS NULL
"""


def rule_closes(scene: Scene) -> None:
    """A position gains enough for its rule; the venue is silent about it, or refuses the exit, where that is due."""
    trader = scene.quiet_a
    scene.stage.query(_SET, trader.user_id)
    try:
        scene.repeat(lambda: _gain(scene, trader), 40)
    finally:
        scene.stage.query(_UNSET, trader.user_id)


def _gain(scene: Scene, trader: Trader) -> None:
    _price(scene, "100")
    scene.order(trader, symbol=SYMBOL)
    if not scene.wait(lambda: _is_held(scene, trader), 6):
        return
    if scene.armed(*WAITS):
        with scene.rule(trader, SILENT, **QUOTES):
            _look(scene, 6)
    _price(scene, "200")
    if scene.armed(SETTLED):
        with scene.rule(trader, REFUSAL, **NEW_ORDERS):
            scene.wait(lambda: scene.stage.query(_FAILED, trader.user_id) or _look(scene, 2), 12)
        scene.order(trader, symbol=SYMBOL, side="sell", position_effect="CLOSE")
    scene.wait(lambda: not _is_held(scene, trader) or _look(scene, 2), 10)
    _look(scene, 3)


def _look(scene: Scene, seconds: float) -> None:
    """Have the sweep come by, and give the trader's worker so long to look."""
    scene.hand_out("sweeps.valuation")
    scene.wait_passed(seconds)


def _price(scene: Scene, price: str) -> None:
    scene.stage.control("POST", "/control/prices", {"symbol": SYMBOL, "price": price})


def _is_held(scene: Scene, trader: Trader) -> bool:
    return bool(scene.stage.query(_HELD, trader.user_id, SYMBOL))
