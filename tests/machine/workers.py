"""A worker without a process: the real session for one trader, which may stand still or die at any failpoint.

What a worker does runs in a greenlet of its own, so that it can be left standing between two steps while others go
on, as by SIGSTOP. It is never left inside a transaction: the test has one connection for all, and what it holds
would be held by the others too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from django.db import connection
from greenlet import getcurrent, greenlet

from orders.services.leases import Fence, LeaseLost, expire_lease, take_lease
from tasks.fleet.session import TraderSession
from tasks.fleet.slots import Slot, boottime

LONG_SECONDS = 1e6


class Crash(BaseException):
    """The process dies here, as by SIGKILL: nothing of ours may catch it."""


class End(Enum):
    NONE = auto()
    CRASH = auto()
    PAUSE = auto()


@dataclass(frozen=True)
class Fate:
    """What happens to an actor once it has passed so many failpoints, of this name where one is given."""

    end: End = End.NONE
    after: int = 0
    at: str = ""


class Actor:
    """Somebody who passes failpoints: web while it records, or a worker."""

    def __init__(self) -> None:
        self.fate = Fate()
        self.is_dead = False
        self.passed: list[str] = []

    def pass_by(self, name: str) -> None:
        self.passed.append(name)
        if self.is_dead:
            raise Crash(name)  # a ``finally`` of ours must not do what a dead process cannot
        if self.fate.end is End.NONE or self.fate.at not in ("", name):
            return
        if self.fate.after:
            self.fate = replace(self.fate, after=self.fate.after - 1)
        elif self.fate.end is End.CRASH:
            self.is_dead = True
            raise Crash(name)
        elif not connection.in_atomic_block:
            self.fate = Fate()
            self.stand_still()

    def stand_still(self) -> None:
        """Web's part is too short to be left standing."""


class Cast:
    """Who runs right now, for the one listener that all failpoints have."""

    def __init__(self) -> None:
        self._running: list[Actor] = []

    @property
    def current(self) -> Actor | None:
        return self._running[-1] if self._running else None

    def listen(self, name: str) -> None:
        if self._running:
            self._running[-1].pass_by(name)

    @contextmanager
    def running(self, actor: Actor) -> Any:
        self._running.append(actor)
        try:
            yield
        finally:
            self._running.pop()

    def act(self, actor: Actor, fate: Fate, action: Callable[[], object]) -> bool:
        """Have somebody do something; return whether they have lived through it."""
        actor.fate = fate
        try:
            with self.running(actor):
                action()
        except Crash:
            return False
        finally:
            actor.fate = Fate()
        return True


class Worker(Actor):
    """One process of the fleet, bound to one trader."""

    def __init__(self, cast: Cast, fence: Fence) -> None:
        super().__init__()
        self.slot = Slot()
        self._cast = cast
        self._paused: Any = None
        self._grant(fence)
        self.session = TraderSession(fence, self.slot)

    @classmethod
    def claim(cls, cast: Cast, user_id: int, name: str) -> Worker | None:
        fence = take_lease(user_id=user_id, worker=name, host="machine", pid=os.getpid())
        return None if fence is None else cls(cast, fence)

    @property
    def fence(self) -> Fence:
        return self.session.fence

    @property
    def is_paused(self) -> bool:
        return self._paused is not None

    @property
    def holds_lease(self) -> bool:
        """Say whether its own clock lets it act."""
        return boottime() < self.slot.deadline

    # --- what it does ---

    def turn(self, fate: Fate) -> None:
        """Answer one doorbell, up to its fate."""
        self._go_on(greenlet(self._work), fate)

    def resume(self, fate: Fate) -> None:
        """Go on where it was left standing."""
        paused, self._paused = self._paused, None
        self._go_on(paused, fate)

    def hear(self, fate: Fate, action: Callable[[], object]) -> None:
        """Have its stream's thread do something; where that dies, the whole process does."""
        if fate.end is End.PAUSE:
            fate = Fate()
        if not self._cast.act(self, fate, action):
            self.die()

    def _work(self) -> None:
        try:
            self._renew_fence()
            self.session.work()
        except LeaseLost:
            return

    def _go_on(self, body: Any, fate: Fate) -> None:
        self.fate = fate
        try:
            with self._cast.running(self):
                left_standing = body.switch()
        except Crash:
            self.die()
            return
        finally:
            self.fate = Fate()
        self._paused = body if left_standing else None

    def stand_still(self) -> None:
        body = getcurrent()
        assert body.parent is not None
        body.parent.switch(True)

    # --- its lease ---

    def expire(self) -> None:
        """Let its lease run out, by its own clock too."""
        expire_lease(user_id=self.fence.user_id, epoch=self.fence.epoch)
        self.slot.deadline = 0.0

    def _renew_fence(self) -> None:
        """Take the lease anew where it has run out, as the real process does before each turn."""
        if self.holds_lease:
            return
        fence = take_lease(
            user_id=self.fence.user_id, worker=self.fence.worker, host="machine", pid=self.fence.pid
        )
        if fence is None:
            self.leave()
            raise LeaseLost("another worker has taken over")
        self.session.fence = fence
        self._grant(fence)

    def _grant(self, fence: Fence) -> None:
        self.slot.epoch = fence.epoch
        self.slot.user_id = fence.user_id
        self.slot.deadline = boottime() + LONG_SECONDS

    # --- its end ---

    def leave(self) -> None:
        """Exit of its own accord."""
        self.is_dead = True
        self.session.close()
        expire_lease(user_id=self.fence.user_id, epoch=self.fence.epoch)

    def die(self) -> None:
        """End as by SIGKILL. Its lease goes on; its connections do not."""
        self.is_dead = True
        paused, self._paused = self._paused, None
        if paused is not None and not paused.dead:
            with self._cast.running(self):
                with suppress(Crash):
                    paused.throw(Crash("killed"))
        self.session.close()
