"""Periodic work, thin: each task calls one service and rings who is concerned."""

from celery import shared_task

from failpoints import failpoint
from orders.selectors import users_with_due_orders, users_without_worker
from orders.services.heartbeats import beat_schedule, forget_silent_fleets
from orders.services.sweeping import deny_stale_entries, sweep_lock
from tasks.dispatch import nudge


@shared_task(name="sweeps.due")
def due() -> None:
    """Ring for every trader of whom an order is due: a lost doorbell is healed here."""
    with sweep_lock("due") as alone:
        if alone:
            failpoint("sweep.due.before")
            beat_schedule()
            for user_id in users_with_due_orders():
                nudge(user_id)
            failpoint("sweep.due.after")


@shared_task(name="sweeps.orphans")
def orphans() -> None:
    """Deny entries that nobody sent in time, and ring for whatever else has no worker."""
    with sweep_lock("orphans") as alone:
        if alone:
            failpoint("sweep.orphans.before")
            deny_stale_entries()
            forget_silent_fleets()
            for user_id in users_without_worker():
                nudge(user_id)
            failpoint("sweep.orphans.after")
