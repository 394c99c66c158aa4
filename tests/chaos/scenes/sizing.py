"""Scenes of what an entry is sized by: instruments, quotes and the account's figures."""

from __future__ import annotations

from tests.chaos.scenes.orders import BLIND
from tests.chaos.scenes.scene import Scene
from tests.flows.helpers import alert

QUOTES = {"method": "GET", "path": "/v2/stocks*"}
# At most three shares, or the trader would own the market at the end of a long run.
_RULE = """
UPDATE orders_strategy SET sizing_method = 'PERCENT_OF_EQUITY', sizing_value = 50, max_quantity = 3 WHERE user_id = %s
"""
_AGE_FIGURES = "UPDATE orders_accountsnapshot SET taken_at = taken_at - interval '1 hour'"
_AGE_INSTRUMENTS = "UPDATE brokers_instrument SET refreshed_at = refreshed_at - interval '2 days'"


def sized_entries(scene: Scene) -> None:
    """A trader's alerts name no quantity; the account's figures are old, and the first question for a quote fails."""
    trader = scene.quiet_a
    scene.stage.query(_RULE, trader.user_id)

    def act() -> None:
        scene.stage.query(_AGE_FIGURES)
        body = alert(trader, symbol=scene.rng.choice(sorted(scene.prices)), quantity=None)
        with scene.rule(trader, BLIND, count=1, **QUOTES):
            scene.load.insist("alert", trader, trader.webhook_path, body)
            scene.wait_passed(4)

    scene.repeat(act, 15)


def instruments(scene: Scene) -> None:
    """What the brokers have to trade was read too long ago: the sweep has a worker read it anew."""

    def act() -> None:
        scene.stage.query(_AGE_INSTRUMENTS)
        scene.hand_out("sweeps.instruments")
        scene.wait_passed(9)

    scene.repeat(act, 30)
