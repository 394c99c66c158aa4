"""Scenes of cancels, replaces and the broker's stream."""

from __future__ import annotations

from tests.chaos.scenes.orders import REQUEST_LOST, SILENCE
from tests.chaos.scenes.scene import Scene

CANCELS = {"method": "DELETE", "path": "/v2/orders/*"}
REPLACES = {"method": "PATCH", "path": "/v2/orders/*"}
REFUSAL = {"kind": "refuse", "status": 422, "code": 42210000, "message": "order is being replaced"}
LATE_SECONDS = 8.0
"""Longer than a worker waits for an answer, looks for what it has sent, and sends it again."""

_REFUSED = "SELECT FROM orders_orderrequest WHERE order_id = %s AND kind = 'REPLACE' AND status = 'REFUSED'"


def lost_cancel(scene: Scene) -> None:
    """A cancel never arrives; the order's checks look for it."""
    order_id = scene.resting_order(scene.quiet_a)
    if order_id:
        with scene.rule(scene.quiet_a, REQUEST_LOST, count=1, **CANCELS):
            scene.change(scene.quiet_a, order_id, "cancel")
            scene.wait_passed(6)


def late_replace(scene: Scene) -> None:
    """A replace arrives when its second sending was refused already, and no stream tells of it."""
    trader = scene.quiet_a
    order_id = scene.resting_order(trader)
    if not order_id:
        return
    with scene.rule(trader, SILENCE):
        late = {"kind": "delay_ms", "ms": 1000 * LATE_SECONDS}
        with scene.rule(trader, late, count=1, **REPLACES) as rule_id:
            scene.change(trader, order_id, "replace", order_qty="5")
            has_left = scene.wait(lambda: scene.is_used_up(rule_id), 4)
        if has_left:
            with scene.rule(trader, REFUSAL, **REPLACES):
                scene.wait(lambda: scene.stage.query(_REFUSED, order_id), LATE_SECONDS)
            scene.wait_passed(LATE_SECONDS + 7)


def cut_streams(scene: Scene) -> None:
    """The venue cuts every stream, and cuts them again when they are back."""

    def act() -> None:
        scene.order(scene.quiet_a)  # whoever serves this trader has a stream
        scene.stage.control("POST", "/control/streams/disconnect", {})
        scene.wait_passed(2)

    scene.repeat(act, 10)
