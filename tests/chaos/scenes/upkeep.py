"""Scenes of the sweeps' own work: queues of nobody, hours of markets, and tasks that fail."""

from __future__ import annotations

from tests.chaos.scenes.scene import Scene

NOBODY, NOBODY_EITHER = "user.1999999999", "user.1999999998"
"""Queues of traders who do not exist."""
WRITTEN = ("dead_letter.before_commit", "dead_letter.after_commit")
RESOLVED = "dead_letter.resolve.before_commit"
HOURS_OF_LONG_AGO = "UPDATE orders_marketsession SET refreshed_at = refreshed_at - interval '2 days'"
OPEN_LETTERS = "SELECT count(*) FROM orders_deadletter WHERE resolved_at IS NULL"


def sweeps_come_by(scene: Scene) -> None:
    """Nothing happens but the sweeps, which are started again wherever they die."""

    def act() -> None:
        scene.forget_dead_fleets()  # or no pool is called full again for a while
        scene.curtain.wait(1)

    scene.repeat(act, 20)


def queue_of_nobody(scene: Scene) -> None:
    """Messages lie in the queue of a trader who does not exist."""

    def act() -> None:
        with scene.stage.redis() as client:
            client.lpush(NOBODY, "{}")
        scene.hand_out("orphans.queue", NOBODY)
        scene.wait_passed(4)

    scene.repeat(act, 20)


def market_hours(scene: Scene) -> None:
    """The markets' calendars were read too long ago: the sweep reads them anew."""

    def act() -> None:
        scene.stage.query(HOURS_OF_LONG_AGO)
        scene.hand_out("sweeps.market_hours")
        scene.wait_passed(9)

    scene.repeat(act, 30)


def dead_letter(scene: Scene) -> None:
    """A task of the orphans' upkeep fails each time; the operator settles its dead letter, one way or the other."""

    def act() -> None:
        armed = scene.armed()
        if {*armed} & {*WRITTEN} or not scene.stage.query(OPEN_LETTERS)[0][0]:
            _fail_once(scene)
        elif RESOLVED in armed:
            scene.operator.resolve_letter()
        else:
            scene.operator.retry_letter()
            scene.wait_passed(4)

    scene.repeat(act, 30)


def _fail_once(scene: Scene) -> None:
    """Put something that is no queue where a queue is found and taken away: the task that does so fails."""
    with scene.stage.redis() as client:
        client.set(NOBODY_EITHER, "no queue")
        scene.hand_out("orphans.queue", NOBODY_EITHER)
        scene.wait(lambda: not client.exists(NOBODY_EITHER), 8)
