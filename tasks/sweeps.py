"""Periodic work, thin: each task calls one service. ``due`` rings for what the others have written."""

import structlog
from celery import shared_task

from failpoints import failpoint
from orders.selectors import users_with_due_orders, users_with_patient_errands
from orders.services.catalogue import ask_for_instruments, watch_instruments
from orders.services.exit_alarms import settle_alarms
from orders.services.heartbeats import beat_schedule, room_in_fleets
from orders.services.market_hours import refresh_market_hours, watch_market_hours
from orders.services.pool import decide_target
from orders.services.reconciliation.asking import ask_due
from orders.services.sweeping import sweep_lock
from orders.services.unprotected import watch_protection
from orders.services.unseen_positions import watch_unseen_positions
from orders.services.valuation import write_valuation_errands
from tasks.dispatch import nudge
from tasks.orphans import hand_out_cases

log = structlog.get_logger(__name__)

PATIENT_CLAIMS = 8
"""So many workers a run asks for whose traders can wait: those who hold something do not all come at once."""


@shared_task(name="sweeps.due")
def due() -> None:
    """Ring for every trader of whom an order is due: a lost doorbell is healed here.

    Traders without a worker for whom there is only what can wait get the room that the fleets have. Where there is
    none they take turns, one a run, so that nobody's order waits behind them.
    """
    with sweep_lock("due") as alone:
        if not alone:
            return
        failpoint("sweep.due.before")
        beat_schedule()
        due_now = users_with_due_orders()
        due_now += users_with_patient_errands(limit=min(max(room_in_fleets(), 1), PATIENT_CLAIMS))
    for user_id in due_now:
        nudge(user_id)
    failpoint("sweep.due.after")


@shared_task(name="sweeps.valuation")
def valuation() -> None:
    """Have the workers fetch quotes, value what their traders hold, and see whether a rule says to close it."""
    with sweep_lock("valuation") as alone:
        if not alone:
            return
        failpoint("sweep.valuation.before")
        settle_alarms()
        watch_unseen_positions()
        write_valuation_errands()
    failpoint("sweep.valuation.after")


@shared_task(name="sweeps.orphans")
def orphans() -> None:
    """Find what has lost its counterpart, and hand out one task for each case."""
    failpoint("sweep.orphans.before")
    hand_out_cases()
    failpoint("sweep.orphans.after")


@shared_task(name="sweeps.pool")
def pool() -> None:
    """Decide anew how many idle workers each fleet keeps ready."""
    with sweep_lock("pool") as alone:
        if alone:
            failpoint("sweep.pool.before")
            decided = decide_target()
            failpoint("sweep.pool.after")
            if decided is not None:
                log.info("pool target", size=decided.size, **decided.demand)


@shared_task(name="sweeps.protection")
def protection() -> None:
    """Alarm for positions that are without their stop loss, and have their traders' workers look at them."""
    with sweep_lock("protection") as alone:
        if not alone:
            return
        failpoint("sweep.protection.before")
        concerned = watch_protection()
    for user_id in concerned:
        nudge(user_id)
    failpoint("sweep.protection.after")


@shared_task(name="sweeps.market_hours")
def market_hours() -> None:
    """Read the exchange calendars anew once a day, and alarm where hours are not known for long any more.

    Where they cannot be read the task fails, and becomes a dead letter in time.
    """
    failpoint("sweep.market_hours.before")
    try:
        read = refresh_market_hours(only_if_due=True)
    finally:
        short = watch_market_hours()
    failpoint("sweep.market_hours.after")
    if read:
        log.info("market hours read", **read)
    if short:
        log.error("market hours missing", markets=short)


@shared_task(name="sweeps.reconcile")
def reconcile() -> None:
    """Have every account compared with its broker whose time has come."""
    with sweep_lock("reconcile") as alone:
        if not alone:
            return
        failpoint("sweep.reconcile.before")
        ask_due()
    failpoint("sweep.reconcile.after")


@shared_task(name="sweeps.instruments")
def instruments() -> None:
    """Have every broker's catalogue read once a day by one of its traders' workers, and alarm where that fails."""
    failpoint("sweep.instruments.before")
    ask_for_instruments()
    stale = watch_instruments()
    failpoint("sweep.instruments.after")
    if stale:
        log.error("instruments are stale", brokers=stale)
