"""This worker process: in the pool until it claims a trader, then that trader's until it exits."""

import os
import socket
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import celery.worker.state
import redis
import structlog
from django.conf import settings
from django.db import close_old_connections
from django.db.utils import InterfaceError, InternalError, OperationalError
from kombu.exceptions import OperationalError as BrokerDown

from failpoints import failpoint
from orders.selectors import has_open_orders, has_undelivered_orders, next_due_at
from orders.services.leases import Fence, LeaseLost, expire_lease, take_lease
from orders.services.outages import is_outage
from tasks import dead_letters, routing
from tasks.fleet.session import TraderSession
from tasks.fleet.slots import LEAVE_POOL, RELEASE_TRADER, Slot, boottime

if TYPE_CHECKING:
    from celery.worker.consumer import Consumer

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
TICKS_BEFORE_EXIT = 2  # what Redis was asked for before is answered within a second
LEAVING = -1
NOBODY = 0  # no user has this id
RETRY_SECONDS = 1.0  # after PostgreSQL was away


class WorkerProcess:
    """One pool or user worker. All methods run in the thread of Celery's loop."""

    def __init__(self, slot: Slot, name: str) -> None:
        self.slot = slot
        self.name = name
        self.session: TraderSession | None = None
        self._consumer: Consumer | None = None
        self._tick_timer: Any = None
        self._due_timer: Any = None
        self._ticks_out_of_pool = 0
        self._leaving = False

    # --- Celery's loop ---

    def attach(self, consumer: "Consumer") -> None:
        """Start ticking in ``consumer``'s loop; called again after each reconnect to Redis."""
        self._consumer = consumer
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._tick_timer = consumer.timer.call_repeatedly(TICK_SECONDS, self.tick)
        if self.session is not None:
            self._listen()
            self._work_after(0.0)  # bells may have been lost while Redis was away
        else:
            self._warm_up()

    def _warm_up(self) -> None:
        """Connect to PostgreSQL while nobody waits: the first order of a cold trader finds it done."""
        try:
            has_open_orders(NOBODY)
        except (OperationalError, InterfaceError) as error:
            log.warning("PostgreSQL is away", error=str(error))

    def tick(self) -> None:
        """Show progress; leave when the supervisor is gone, or when idle for long enough."""
        self.slot.progress = boottime()
        parent = parent_process()
        if parent is not None and wait([parent.sentinel], timeout=0):
            log.warning("supervisor gone, leaving", worker=self.name)
            self.leave()
        elif self.session is None:
            self._leave_pool_if_asked()
        elif self.slot.lost == self.session.fence.epoch:
            self._regain_lease()
        elif self._is_released():
            self.leave()
        else:
            self._listen()
            if self.session.poll_in_seconds() == 0.0:
                self._work_after(0.0)

    def leave(self) -> None:
        """Let the trader go and exit with code 0, once nothing is left to do."""
        self._leaving = True
        if self._consumer is not None and self.session is not None:
            self._consumer.cancel_task_queue(routing.user_queue(self.session.user_id))
        self.let_go()
        celery.worker.state.should_stop = 0  # type: ignore[assignment]

    def _leave_pool_if_asked(self) -> None:
        """Take no more claims, then exit, unless a claim that was under way has bound us meanwhile."""
        if self.slot.release != LEAVE_POOL and not self._ticks_out_of_pool:
            return
        if not self._ticks_out_of_pool and self._consumer is not None:
            failpoint("leave_pool.before")
            self._consumer.cancel_task_queue(routing.POOL_QUEUE)
        self._ticks_out_of_pool += 1
        if self._ticks_out_of_pool > TICKS_BEFORE_EXIT:
            log.info("left the pool", worker=self.name)
            self._leaving = True
            self.slot.user_id = LEAVING
            celery.worker.state.should_stop = 0  # type: ignore[assignment]

    def _regain_lease(self) -> None:
        """Take the lease anew that the supervisor could not renew; leave where another worker has it."""
        self.slot.lost = 0
        self.slot.deadline = 0.0
        self._work_unasked()

    def let_go(self) -> None:
        """Release the lease, then look once more: an order recorded meanwhile is claimed by another worker."""
        session, self.session = self.session, None
        if session is None:
            return
        session.close()
        user_id, epoch = session.user_id, session.fence.epoch
        self.slot.deadline = 0.0
        close_old_connections()
        try:
            failpoint("lease.before_release")
            expire_lease(user_id=user_id, epoch=epoch)
            self.slot.user_id = LEAVING
            failpoint("lease.after_release")
            if has_undelivered_orders(user_id):
                routing.claim(user_id)
        except (OperationalError, InterfaceError) as error:
            log.warning("lease not released, it will expire", user_id=user_id, error=str(error))
        except BrokerDown as error:
            log.warning("claim not published, the sweep will", user_id=user_id, error=str(error))

    # --- work ---

    def claim(self, user_id: int) -> None:
        """Become this trader's worker unless it has one, then do what is waiting.

        A worker that is bound already answers for its own trader and publishes any other claim again; so does one
        that is leaving, since a process serves one trader in its life.
        """
        if self._leaving:
            routing.claim(user_id)
            return
        if self.session is not None:
            if self.session.user_id == user_id:
                self.work()
            else:
                routing.claim(user_id)
            return
        close_old_connections()
        session = self._take(user_id)
        if session is None:
            return
        self.session = session
        self._listen()
        log.info("claimed", user_id=user_id, worker=self.name, epoch=session.fence.epoch)
        self.work()

    def work_for(self, user_id: int) -> None:
        """Answer a doorbell of this trader's queue."""
        if self.session is None or self.session.user_id != user_id:
            log.warning("doorbell of another trader", user_id=user_id, worker=self.name)
            routing.claim(user_id)
            return
        self.work()

    def work(self) -> None:
        """Send every order that is due and check every one whose time has come, then sleep until the next."""
        session = self.session
        if session is None:
            return
        self.slot.idle_since = 0.0
        close_old_connections()
        try:
            self._renew_fence(session)
            busy = session.work()
            due = soonest(next_due_at(session.user_id), session.poll_in_seconds())
        except LeaseLost:
            log.warning("lease lost", user_id=session.user_id, worker=self.name)
            self._work_after(RETRY_SECONDS)
            return
        except (OperationalError, InterfaceError, InternalError) as error:
            if isinstance(error, InternalError) and not is_outage(error):
                raise
            log.warning("PostgreSQL is away", user_id=session.user_id, error=str(error))
            self._work_after(RETRY_SECONDS)
            return
        self.slot.idle_since = boottime()
        if due is not None:
            # Due and yet nothing done: it is held back by an order before it. Look again, without spinning.
            self._work_after(max(due, 0.05 if busy else RETRY_SECONDS))

    # --- inside ---

    def _listen(self) -> None:
        """Read our trader's queue, and the pool's no longer; does only what is not done yet.

        Redis may fail any part of it: the next tick, or the reconnect, does the rest.
        """
        if self._consumer is None or self.session is None:
            return
        own = routing.user_queue(self.session.user_id)
        tasks = self._consumer.task_consumer  # type: ignore[attr-defined]  # not known to its stubs
        try:
            if not tasks.consuming_from(own):
                self._consumer.add_task_queue(own)
            if tasks.consuming_from(routing.POOL_QUEUE):
                self._consumer.cancel_task_queue(routing.POOL_QUEUE)
        except redis.RedisError as error:
            log.warning("queues not changed", user_id=self.session.user_id, error=str(error))

    def _take(self, user_id: int) -> TraderSession | None:
        if not has_open_orders(user_id):
            return None  # an old claim: somebody has done the work since
        failpoint("lease.before_take")
        started = boottime()
        take = partial(
            take_lease, user_id=user_id, worker=self.name, host=socket.gethostname(), pid=os.getpid()
        )
        try:
            fence = take()
        except (OperationalError, InterfaceError):
            close_old_connections()
            fence = take()  # it may be ours: given, and the answer lost
        if fence is None:
            return None
        failpoint("lease.after_take")
        self._grant(fence, started)
        return TraderSession(fence, self.slot)

    def _grant(self, fence: Fence, started: float) -> None:
        self.slot.epoch = fence.epoch
        self.slot.deadline = started + settings.LEASE_TTL_SECONDS - settings.LEASE_MARGIN_SECONDS
        self.slot.idle_since = boottime()
        self.slot.user_id = fence.user_id

    def _renew_fence(self, session: TraderSession) -> None:
        """Take the lease again, with a new epoch, where ours has run out; leave where another has it."""
        if boottime() < self.slot.deadline:
            return
        started = boottime()
        failpoint("lease.before_retake")
        fence = take_lease(
            user_id=session.user_id, worker=self.name, host=session.fence.host, pid=session.fence.pid
        )
        failpoint("lease.after_retake")
        if fence is None:
            self.leave()
            raise LeaseLost("another worker has taken over")
        session.fence = fence
        self._grant(fence, started)

    def _work_after(self, seconds: float) -> None:
        if self._due_timer is not None:
            self._due_timer.cancel()
        if self._consumer is not None:
            self._due_timer = self._consumer.timer.call_after(seconds, self._work_unasked)

    def _work_unasked(self) -> None:
        """Work because its time has come; to the operators it is as if the doorbell had rung."""
        session = self.session
        if session is None:
            return
        args, queue = [session.user_id], routing.user_queue(session.user_id)
        try:
            self.work()
        except Exception as error:
            dead_letters.count_failure("orders.execute", args, error, queue=queue, worker=self.name)
            raise
        dead_letters.count_success("orders.execute", args)

    def _is_released(self) -> bool:
        idle_since = self.slot.idle_since
        wanted = self.slot.release == RELEASE_TRADER or boottime() - idle_since > settings.WORKER_IDLE_SECONDS
        if not idle_since or not wanted or self.session is None:
            return False
        close_old_connections()  # an idle worker's connection may be older than PostgreSQL's last start
        try:
            return not self.session.has_open_orders()
        except (OperationalError, InterfaceError):
            return False


def soonest(*waits: float | None) -> float | None:
    """Return the shortest of some waits in seconds; None where there is nothing to wait for."""
    return min((wait for wait in waits if wait is not None), default=None)


current: WorkerProcess | None = None
"""This process's worker; None in every other kind of process."""
