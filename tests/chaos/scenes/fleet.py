"""Scenes of fleets, their workers and the leases of these."""

from __future__ import annotations

import signal

import psycopg

from tests.chaos.arming import Hold
from tests.chaos.process_faults import WEDGE_SECONDS
from tests.chaos.scenes.scene import Scene
from tests.chaos.settings import LEASE_TTL_SECONDS

STANDING_SECONDS = 30
DISOWNED_SECONDS = 16.0
"""A lease's time, 6 s more until its worker is taken for one that stays, and a few turns."""

_LEASE = "SELECT 1 FROM orders_workerlease WHERE user_id = %s AND pid = %s FOR UPDATE"
_PROLONG = """
UPDATE orders_workerlease SET expires_at = now() + make_interval(secs => %s)
 WHERE user_id = %s AND pid = %s AND expires_at > now() RETURNING epoch
"""
_CUT_OFF = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
_SET_POOL = """
INSERT INTO orders_pooltarget (size, demand, decided_at) SELECT %s, '{}', now()
 WHERE %s IS DISTINCT FROM (SELECT size FROM orders_pooltarget ORDER BY decided_at DESC, id DESC LIMIT 1)
"""
_HAS_IDLE = """
SELECT FROM orders_heartbeat
 WHERE part = 'fleet' AND at > now() - interval '7 s' AND (data ->> 'idle')::int >= %s
"""
BIG_POOL, ODD_POOL = 4, 3
"""The most that a chaos run's pool can have, and what no demand asks for twice in a row."""


def orphaned_lease(scene: Scene) -> None:
    """A worker dies while its fleet stands still, and its lease stands for long: the sweeps find it."""
    found = scene.pick("worker", busy=True)
    if found is None:
        return
    worker, fleet = found
    scene.stage.hold(fleet, Hold(STANDING_SECONDS))
    scene.forget_dead_fleets()
    worker.send(signal.SIGKILL)
    user_id = int(worker.label.removeprefix("worker:"))
    # Nobody acts under it any more.
    prolonged = scene.stage.query(_PROLONG, STANDING_SECONDS, user_id, worker.pid)

    def act() -> None:
        for (epoch,) in prolonged:
            scene.hand_out("orphans.lease", user_id, epoch)
        scene.wait_passed(4)

    scene.repeat(act, 12 if prolonged else 0)
    fleet.send(signal.SIGCONT)


def lost_leases(scene: Scene) -> None:
    """A fleet stands still for longer than its workers' leases: who has work takes the lease anew."""

    def act() -> None:
        found = scene.pick("worker", busy=True)
        if found is not None:
            scene.stage.hold(found[1], Hold(LEASE_TTL_SECONDS + 1))
            scene.wait_passed(LEASE_TTL_SECONDS + 2)

    scene.repeat(act, 15)


def disowned(scene: Scene) -> None:
    """A lease's row is locked until the lease has ended, and every try to take it anew is cut off."""
    found = scene.pick("worker", busy=True)
    if found is None:
        return
    worker, fleet = found
    with psycopg.connect(scene.stage.desk.conninfo(database="tradingsite"), connect_timeout=2) as locking:
        locking.execute(_LEASE, [int(worker.label.removeprefix("worker:")), worker.pid])

        def cut_off() -> bool:
            scene.stage.query(_CUT_OFF, locking.info.backend_pid)
            return not scene.armed() or fleet.session is None

        scene.wait(cut_off, DISOWNED_SECONDS)


def wedged(scene: Scene) -> None:
    """A worker stands still under its fleet's eyes."""
    found = scene.pick("worker", busy=True)
    if found is not None:
        scene.stage.hold(found[0], Hold(WEDGE_SECONDS))
        scene.wait_passed(WEDGE_SECONDS)


def forkserver_dies(scene: Scene) -> None:
    """A forkserver is killed that has workers, and these live on: one that still begins takes its fleet along."""

    def act() -> None:
        found = scene.pick("worker")
        parent = found and found[0].parent
        if parent:
            parent.send(signal.SIGKILL)
            scene.wait_passed(4)

    scene.repeat(act, 12)


def worker_dies(scene: Scene) -> None:
    """A worker that has a trader is killed under its fleet's eyes."""

    def act() -> None:
        found = scene.pick("worker", busy=True)
        if found is not None:
            found[0].send(signal.SIGKILL)
            scene.wait_passed(4)

    scene.repeat(act, 12)


def fleet_ends(scene: Scene) -> None:
    """A fleet is ended in good order while it has a trader's worker; it is started again."""
    found = scene.pick("worker", busy=True)
    if found is not None:
        found[1].send(signal.SIGTERM)
        scene.wait_passed(5)


def pool_target(scene: Scene) -> None:
    """The pool's target is held high until a fleet has followed; then it is decided anew, and the pool shrinks."""

    def is_big() -> bool:
        scene.stage.query(_SET_POOL, BIG_POOL, BIG_POOL)
        return bool(scene.stage.query(_HAS_IDLE, BIG_POOL)) or not scene.armed()

    scene.wait(is_big, 15)
    scene.stage.query(_SET_POOL, ODD_POOL, ODD_POOL)
    scene.wait_passed(16)
