"""Scenes: what leads a desk past the points that chance seldom brings it to.

A scene is played once the points that it is about are armed. Each takes back what it has done, or leaves that to the
stage's reversals, so that healing takes it back in any case. One that did not come off is played again.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.scenes import comparing, fleet, orders, positions, requests, rules, sizing, upkeep
from tests.chaos.scenes.scene import Scene

Play = Callable[[Scene], None]

SCENES: dict[str, Play] = {
    "abandoned.": fleet.forkserver_dies,
    "adopt.": orders.adopt,
    "attention.settled": upkeep.sweeps_come_by,
    "attention.before": orders.unusable_account,
    "dead_letter.": upkeep.dead_letter,
    "deny.": orders.put_back,
    "desk_cancel.": positions.flatten,
    "disowned.": fleet.disowned,
    "errand.": positions.reverse,
    "exit.record.": positions.flatten,
    "exit_rule.": rules.rule_closes,
    "fills.": orders.lost_answers,
    "flatten.": positions.flatten,
    "gap.": requests.cut_streams,
    "hours.": upkeep.market_hours,
    "instruments.": sizing.instruments,
    "lease.before_release": fleet.fleet_ends,
    "lease.after_release": fleet.fleet_ends,
    "lease.before_retake": fleet.lost_leases,
    "lease.after_retake": fleet.lost_leases,
    "leave_pool.": fleet.pool_target,
    "lookup.listed": orders.never_sent,
    "lookup.fills": orders.never_sent,
    "lookup.stop.": positions.lost_pairs,
    "lookup.": orders.lost_answers,
    "orphan.lease.": fleet.orphaned_lease,
    "orphan.queue.": upkeep.queue_of_nobody,
    "orphan.": upkeep.sweeps_come_by,
    "pool.": fleet.pool_target,
    "postpone.": orders.unusable_account,
    "protect.": positions.protect,
    "quotes.": rules.rule_closes,
    "reap.": fleet.worker_dies,
    "reconcile.asked_for": comparing.outside_orders,
    "reconcile.asked": comparing.missed_facts,
    "reconcile.facts.": comparing.missed_facts,
    "reconcile.quoted": comparing.journal_entries,
    "reconcile.position.": comparing.journal_entries,
    "reconcile.exit.": comparing.left_exits,
    "reconcile.book.": comparing.splits,
    "reconcile.lift.": comparing.splits,
    "reconcile.": comparing.outside_orders,
    "replaced.": requests.late_replace,
    "request.put_off.": orders.unusable_account,
    "request.check.": requests.lost_cancel,
    "resolve.never_sent.": orders.never_sent,
    "resolve.adopt.": orders.adopt,
    "reversal.": positions.reverse,
    "send.duplicate": orders.send_duplicate,
    "shrink.": fleet.pool_target,
    "sizing.": sizing.sized_entries,
    "stop.": fleet.fleet_ends,
    "sweep.instruments.": sizing.instruments,
    "sweep.protection.": positions.protect,
    "sweep.reconcile.": comparing.outside_orders,
    "sweep.pool.": fleet.pool_target,
    "sweep.": upkeep.sweeps_come_by,
    "tend.": positions.reverse,
    "undo.": orders.put_back,
    "unknown.": orders.lost_answers,
    "unsized.": sizing.sized_entries,
    "valuation.": rules.rule_closes,
    "wedged.": fleet.wedged,
}
"""Which scene leads past a point, by how its name begins; the first that fits."""


def scene_of(point: str) -> Play:
    """Return the scene that leads past a point; an ordinary day passes all that need no other."""
    return next((play for start, play in SCENES.items() if point.startswith(start)), orders.everyday)


def is_rare(point: str) -> bool:
    """Say whether a point needs a scene of its own."""
    return scene_of(point) is not orders.everyday
