"""The fleet's supervisor: keeps a pool of idle workers, renews all leases, sees every death at once."""

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext

import structlog
from django.conf import settings
from django.db import Error as DatabaseDown
from django.db import close_old_connections
from kombu.exceptions import OperationalError as BrokerDown

from failpoints import failpoint
from orders.models import AttentionItem
from orders.selectors import has_open_orders, users_with_open_orders
from orders.services.attention import open_item
from orders.services.heartbeats import Fleet, beat_fleet, end_fleet
from orders.services.leases import expire_lease, renew_leases, standing_leases
from orders.services.retrying import run_again
from tasks import routing
from tasks.fleet import worker
from tasks.fleet.child import Child
from tasks.fleet.claims import WaitingClaims
from tasks.fleet.slots import LEAVE_POOL, RELEASE_TRADER, boottime, create_slot
from tasks.host import has_ended

log = structlog.get_logger(__name__)

TURN_SECONDS = 0.1
STOP_TURN_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
ALARM_SECONDS = 30.0  # between two alarms that no worker is free
FORK_PAUSE_SECONDS = 1.0  # after a fork that failed
REFILL_SECONDS = 0.3  # a claim just taken needs the processor more than its replacement does


class Supervisor:
    """One per host. ``run`` returns once ``stop`` was called and every child is gone."""

    def __init__(self) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tasks.fleet.preload"])
        self._children: dict[int, Child] = {}
        self._stopping = False
        self._next_renewal = self._next_heartbeat = self._next_alarm = self._next_fork = 0.0
        self._held_back: set[tuple[int, int]] = set()  # (user id, epoch) to be renewed with the next turn
        self._target = settings.FLEET_POOL_SIZE  # until PostgreSQL says what was decided
        self._started = self._surplus_since = boottime()
        self._short_since = 0.0  # boottime at which the pool was last full
        self._claims = WaitingClaims()
        self._host = socket.gethostname()
        self.name = f"fleet@{self._host}:{os.getpid()}"

    def run(self) -> None:
        forkserver.ensure_running()  # its imports take a second, which no order is to wait for
        log.info("fleet up", name=self.name, pool=settings.FLEET_POOL_SIZE, most=settings.FLEET_MAX_WORKERS)
        while not self._stopping:
            self._turn()
        self._stop_children()

    def stop(self, *_signal: object) -> None:
        self._stopping = True

    # --- one turn ---

    def _turn(self) -> None:
        wait([child.process.sentinel for child in self._children.values()], timeout=TURN_SECONDS)
        failed = 0
        for step in (self._reap, self._renew, self._kill_wedged, self._kill_disowned, self._heartbeat):
            failed += not self._try(step)
        if failed:
            time.sleep(TURN_SECONDS)
        self._fork_wanted()

    @staticmethod
    def _try(step: Callable[[], None]) -> bool:
        """Do one step; False where PostgreSQL failed it, which must not keep the others from being done."""
        close_old_connections()
        try:
            step()
        except DatabaseDown as error:
            log.warning("PostgreSQL is away", error=str(error))
            return False
        return True

    def _reap(self) -> None:
        """Free a dead child's trader at once, and have another worker claim what was left undone."""
        for pid, child in list(self._children.items()):
            if child.process.exitcode is None:
                continue
            self._end_for_certain(pid, child)
            user_id, epoch = child.user_id, child.slot.epoch
            if user_id:
                log.warning("worker died", pid=pid, user_id=user_id, exitcode=child.process.exitcode)
                failpoint("reap.before_expire")
                expire_lease(user_id=user_id, epoch=epoch)
                failpoint("reap.after_expire")
                if has_open_orders(user_id):
                    self._claim(user_id)
            child.process.close()
            del self._children[pid]  # only now: after a failure above, the next turn tries again

    @staticmethod
    def _end_for_certain(pid: int, child: Child) -> None:
        """Kill a child that is taken for dead and lives: a forkserver that is killed takes the exit codes along."""
        if not has_ended(pid, child.started):
            log.warning("forkserver gone, its worker is killed", pid=pid, user_id=child.user_id or None)
            failpoint("abandoned.before_kill")
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)

    def _renew(self) -> None:
        """Renew every child's lease in one statement, and tell each until when it may act.

        A lease that its worker holds at that moment is not waited for: the next turn tries it again, and the worker
        may act until its old deadline. One that stands still in its transaction stops nobody else.
        """
        now = boottime()
        is_time = now >= self._next_renewal
        bound = [
            (child, child.user_id, child.slot.epoch) for child in self._children.values() if child.user_id
        ]
        if not is_time:
            bound = [one for one in bound if one[1:] in self._held_back]
        # A dead one's trader is to be free for another worker.
        bound = [one for one in bound if one[0].process.exitcode is None]
        if bound:
            self._renew_these(bound, now)
        if is_time:
            self._next_renewal = now + settings.LEASE_RENEW_SECONDS

    def _renew_these(self, bound: list[tuple[Child, int, int]], now: float) -> None:
        # Two may be bound to one trader for a moment: only the younger epoch can stand.
        held = dict(sorted((user_id, epoch) for _, user_id, epoch in bound))
        failpoint("lease.before_renew")
        renewed = run_again(lambda: renew_leases(list(held.items())))
        failpoint("lease.after_renew")
        left_out = [(user_id, epoch) for user_id, epoch in held.items() if user_id not in renewed]
        standing = standing_leases(left_out) if left_out else set()
        self._held_back = {(user_id, held[user_id]) for user_id in standing}
        for child, user_id, epoch in bound:
            if user_id in renewed and epoch == held[user_id]:
                # From before the statement: the local deadline is never later than the database's.
                child.renewed(now + settings.LEASE_TTL_SECONDS - settings.LEASE_MARGIN_SECONDS)
            elif (user_id, epoch) not in self._held_back:
                child.refused(epoch, now)

    def _kill_wedged(self) -> None:
        """Kill a worker whose loop has stood still for too long, and tell the operators.

        While Redis is away every loop stands still in its reconnect; nobody is wedged then.
        """
        now = boottime()
        if self._claims.redis_is_away():
            return
        killed: list[tuple[int | None, str]] = []
        for pid, child in self._children.items():
            still = now - max(child.slot.progress, child.started, self._claims.back)
            if still > settings.WORKER_WEDGED_SECONDS and child.process.exitcode is None:
                user_id = child.user_id or None
                log.error("worker wedged, killed", pid=pid, user_id=user_id, still_seconds=round(still))
                failpoint("wedged.before_kill")
                child.process.kill()
                failpoint("wedged.after_kill")
                killed.append((user_id, f"pid {pid}, {still:.0f} s"))
        for user_id, detail in killed:  # after the last kill: none waits for PostgreSQL
            open_item(AttentionItem.Kind.WORKER_WEDGED, user_id=user_id, detail=detail)

    def _kill_disowned(self) -> None:
        """Kill a worker that neither takes its lost lease anew nor leaves: it keeps its trader's bells from others."""
        for pid, child in self._children.items():
            if not child.refused_since or child.process.exitcode is not None:
                continue
            if not child.user_id:
                child.refused_since = 0.0  # it has let its trader go
            elif boottime() - child.refused_since > settings.WORKER_WEDGED_SECONDS:
                log.error("worker without a lease, killed", pid=pid, user_id=child.user_id)
                failpoint("disowned.before_kill")
                child.process.kill()
                failpoint("disowned.after_kill")

    def _heartbeat(self) -> None:
        """Show that this fleet works, and learn how many idle workers it is to keep."""
        now = boottime()
        if now < self._next_heartbeat:
            return
        fleet = Fleet(
            name=self.name,
            host=self._host,
            pid=os.getpid(),
            idle=self._count_idle(),
            workers=len(self._children),
            most=settings.FLEET_MAX_WORKERS,
            target=self._wanted(),
            short_seconds=round(now - max(self._short_since, self._started)),
        )
        decided = beat_fleet(fleet)
        self._target = max(settings.FLEET_POOL_SIZE, decided or 0)
        self._next_heartbeat = now + HEARTBEAT_SECONDS

    # --- the pool ---

    def _count_idle(self) -> int:
        return sum(child.is_idle for child in self._children.values())

    def _wanted(self) -> int:
        """Return how many idle workers there should be, as far as there is room for them."""
        room = settings.FLEET_MAX_WORKERS - len(self._children) + self._count_idle()
        return max(min(self._target, room), 0)

    def _fork_wanted(self) -> None:
        """Keep the pool at its target, and above it by the claims that wait, up to the most."""
        idle = self._count_idle()
        wanted = self._wanted()
        waiting = 0
        if idle <= wanted:
            waiting = self._claims.count()
            wanted = max(wanted, waiting)
        if idle >= wanted:
            self._short_since = boottime()
        elif waiting > idle or boottime() - self._short_since >= REFILL_SECONDS:
            self._fork_some(min(wanted - idle, settings.FLEET_MAX_WORKERS - len(self._children)))
        self._shrink(idle - wanted)
        if waiting and not idle and len(self._children) >= settings.FLEET_MAX_WORKERS:
            self._try(self._release_longest_idle)

    def _shrink(self, surplus: int) -> None:
        """Ask idle workers to leave once there have been too many for a while; who gets a trader first, stays."""
        now = boottime()
        if surplus <= 0:
            self._surplus_since = now
        elif now - self._surplus_since >= settings.POOL_SURPLUS_SECONDS:
            failpoint("shrink.before")
            idle = [child for child in self._children.values() if child.is_idle]
            for child in idle[:surplus]:
                child.slot.release = LEAVE_POOL
            log.info("pool made smaller", by=surplus, target=self._target)

    def _fork_some(self, count: int) -> None:
        """Fork so many workers, as far as the system lets us.

        What it refuses is tried again after a pause. If that lasts, the pool stays below its target, of which the
        maintenance tells the operators.
        """
        if boottime() < self._next_fork:
            return
        try:
            for _ in range(count):
                self._fork()
        except (OSError, EOFError) as error:  # no memory, no process id; EOFError: the forkserver had none
            self._next_fork = boottime() + FORK_PAUSE_SECONDS
            log.error("no worker could be forked", error=repr(error), workers=len(self._children))

    def _fork(self) -> None:
        failpoint("fork.before")
        slot = create_slot(self._context)
        process = self._context.Process(target=worker.main, args=(slot,), name="worker")
        process.start()
        if process.pid is not None:
            self._children[process.pid] = Child(process, slot, boottime())
        failpoint("fork.after")

    def _release_longest_idle(self) -> None:
        """Ask the worker that has had nothing to do for longest to leave; without one, that is an alarm.

        Decided anew each time: one whose trader has orders that are not finished stays, even if it was asked before,
        and must not keep another from being asked.
        """
        children = list(self._children.values())
        busy = users_with_open_orders([child.user_id for child in children])
        resting = [child for child in children if child.slot.idle_since and child.user_id not in busy]
        chosen = min(resting, key=lambda child: child.slot.idle_since, default=None)
        for child in children:
            if child.user_id:
                child.slot.release = RELEASE_TRADER if child is chosen else 0
        if chosen is None and boottime() >= self._next_alarm:
            self._next_alarm = boottime() + ALARM_SECONDS
            log.error("no worker free", workers=len(children))
            open_item(AttentionItem.Kind.NO_WORKER_FREE, detail=f"{len(children)} workers, all busy")

    # --- the end ---

    def _stop_children(self) -> None:
        """Let every worker finish its running order, then kill what is left."""
        for child in self._living():
            child.process.terminate()
        failpoint("stop.after_term")
        end = time.monotonic() + settings.WORKER_STOP_SECONDS
        while living := self._living():
            if time.monotonic() > end:
                for child in living:
                    child.process.kill()
            # Of these only: what has ended would be told of again and again, without a pause.
            wait([child.process.sentinel for child in living], timeout=STOP_TURN_SECONDS)
            self._try(self._renew)
        self._try(lambda: end_fleet(name=self.name))
        log.info("fleet down", name=self.name)

    def _living(self) -> list[Child]:
        return [child for child in self._children.values() if child.process.exitcode is None]

    @staticmethod
    def _claim(user_id: int) -> None:
        try:
            routing.claim(user_id)
        except BrokerDown as error:
            log.warning("claim not published, the sweep will", user_id=user_id, error=str(error))
