"""One trader with an account of class A and one of class C, their books, the workers, and the clock."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

from django.utils import timezone

from brokers.models import BrokerAccount
from brokers.types import OrdType
from orders.intake.replace_request import InvalidRequest, ReplaceTerms
from orders.intake.replay import replay_key
from orders.intake.sizing import SizingError
from orders.models import Order, Source
from orders.services.intake import AlreadyRecorded, record_alert
from orders.services.leases import expire_lease
from orders.services.requests import Asked, RequestRefused, record_cancel, record_replace
from orders.services.sweeping import deny_stale_entry, stale_entries
from tests.factories.alerts import make_alert
from tests.factories.traders import make_account, make_desk
from tests.machine.adapter import MemoryAdapter, MemoryStream
from tests.machine.audit import Audit
from tests.machine.clock import Clock
from tests.machine.venue import Book, Weather
from tests.machine.workers import Actor, Cast, Fate, Worker

ROUNDS = 60
LATEST_SECONDS = 60.0  # that a request travels
LATER_SECONDS = 31.0  # longer than any wait between two looks at an order, but the slow one of resting orders


class Stage:
    """Everything that one example plays with. The rules of the machine call its verbs."""

    def __init__(self, clock: Clock) -> None:
        self.desk = make_desk()
        self.accounts = [self.desk.account, make_account(self.desk.user, broker="paper_c")]
        self.weather: deque[Weather] = deque()
        self.books = [Book(self.weather, unique_ids=True), Book(self.weather, unique_ids=False)]
        self.clock = clock
        self.cast = Cast()
        self.web = Actor()
        self.workers: list[Worker] = []
        self.streams: list[tuple[Worker, MemoryStream]] = []
        self.alerts: list[dict[str, Any]] = []
        book_of = dict(zip((account.id for account in self.accounts), self.books, strict=True))
        self.audit = Audit(self.desk.user.id, book_of)
        self._book_of = book_of

    # --- what the services are given in place of the world ---

    def adapter_for(self, account: BrokerAccount) -> MemoryAdapter:
        worker = self.cast.current
        assert isinstance(worker, Worker)
        book = self._book_of[account.id]

        def departed() -> None:
            assert worker.holds_lease, "a command left under a lease that has run out"

        return _Listened(book, departed, lambda stream: self.streams.append((worker, stream)))

    # --- web ---

    def alert(self, fate: Fate, *, account: int, **fields: Any) -> None:
        """Send an alert to one account's strategy; the sender hears nothing if web dies."""
        if "price" in fields:
            fields["type"] = "limit"
        sent = {"account": account, "fields": fields, "key": uuid.uuid4().hex, "accepted": False}
        self.alerts.append(sent)
        self.resend(len(self.alerts) - 1, fate)

    def resend(self, pick: int, fate: Fate) -> None:
        """Send an alert (once more), exactly as it was."""
        sent = self.alerts[pick % len(self.alerts)]
        alert = make_alert(self.desk, id=sent["key"], **sent["fields"])

        def record() -> None:
            try:
                record_alert(
                    strategy=self.desk.strategy,
                    trader=self.desk.trader,
                    accounts=[self.accounts[sent["account"]]],
                    alert=alert,
                    replay_key=replay_key(alert.alert_id, alert.body),
                    received_at=timezone.now(),
                    statement_timeout_ms=2500,
                )
            except AlreadyRecorded:
                sent["accepted"] = True
            except SizingError:
                return  # nothing to close
            else:
                sent["accepted"] = True

        self.web.is_dead = False
        self.cast.act(self.web, fate, record)

    def cancel(self, pick: int, fate: Fate) -> None:
        """Ask for the cancel of one of the trader's orders, whatever state it is in."""
        self._ask(pick, fate, record_cancel)

    def replace(self, pick: int, fate: Fate, terms: ReplaceTerms) -> None:
        """Ask for other terms of one of the trader's orders, whatever state it is in."""
        self._ask(pick, fate, partial(record_replace, terms=terms))

    def _ask(self, pick: int, fate: Fate, record: Callable[..., object]) -> None:
        orders = list(Order.objects.filter(user=self.desk.user).order_by("id").values_list("id", flat=True))
        if not orders:
            return

        def ask() -> None:
            asked = Asked(
                user_id=self.desk.user.id,
                order_id=orders[-1 - pick % len(orders)],
                source=Source.API,
                received_at=timezone.now(),
            )
            with suppress(RequestRefused, InvalidRequest):
                record(asked, statement_timeout_ms=2500)

        self.web.is_dead = False
        self.cast.act(self.web, fate, ask)

    # --- the fleet ---

    @property
    def living(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.is_dead]

    @property
    def ready(self) -> list[Worker]:
        return [worker for worker in self.living if not worker.is_paused]

    @property
    def paused(self) -> list[Worker]:
        return [worker for worker in self.living if worker.is_paused]

    def claim(self) -> None:
        worker = Worker.claim(self.cast, self.desk.user.id, f"w{len(self.workers)}@machine")
        if worker is not None:
            self.workers.append(worker)

    def man(self) -> None:
        """Have a worker that can take a turn, unless somebody who cannot holds the lease."""
        if not self.ready:
            self.reap()
            self.claim()

    def reap(self) -> None:
        """End the leases of those who have died, as the supervisor does."""
        for worker in self.workers:
            if worker.is_dead:
                expire_lease(user_id=worker.fence.user_id, epoch=worker.fence.epoch)

    def sweep(self, fate: Fate) -> None:
        """Deny what has grown too old, as the coordinator and its tasks do."""
        sweeper = Actor()
        for order_id in stale_entries():
            self.cast.act(sweeper, fate, lambda order_id=order_id: deny_stale_entry(order_id))

    # --- the streams ---

    def audible(self) -> list[tuple[Worker, MemoryStream]]:
        """Return the streams that have something to tell to a living worker."""
        return [
            (worker, stream)
            for worker, stream in self.streams
            if stream.is_live and stream.waiting and not worker.is_dead
        ]

    # --- the clock ---

    def advance(self, seconds: float) -> None:
        """Let time pass, and what has travelled for too long arrive first."""
        oldest = self.clock() + dt.timedelta(seconds=seconds - LATEST_SECONDS)
        for book in self.books:
            book.arrive_overdue(oldest)
        self.clock.advance(seconds)

    def check(self) -> None:
        """Say whether everything is as it must be after each step."""
        told = {report.cl_ord_id for _, stream in self.audible() for report in stream.waiting}
        self.audit.check(told)

    # --- the day of reckoning ---

    def heal(self) -> None:
        """Make everything work again, and go on until nothing is left to do."""
        self.weather.clear()
        for worker in self.paused:
            worker.resume(Fate())
        for book in self.books:
            while book.in_transit:
                book.arrive(0)
        for number in range(ROUNDS):
            self.man()
            for worker in self.ready:
                worker.turn(Fate())
            self._settle(ends_resting=number > 8)
            self._deliver_all()
            self.check()
            if self._is_quiet():
                return
            self.advance(LATER_SECONDS)
        raise AssertionError(f"not quiet after {ROUNDS} rounds: {self.audit.unfinished()}")

    def _settle(self, *, ends_resting: bool) -> None:
        for book in self.books:
            for order in book.working():
                if order.command.ord_type is OrdType.MARKET or ends_resting:
                    book.fill(order, order.order_qty, Decimal(100))

    def _deliver_all(self) -> None:
        while audible := self.audible():
            worker, stream = audible[0]
            worker.hear(Fate(), lambda stream=stream: stream.deliver(0, again=False))

    def _is_quiet(self) -> bool:
        if any(book.working() for book in self.books) or self.audible():
            return False
        return not self.audit.unfinished()

    def reckon(self) -> None:
        """Compare every alert, order and request with the books."""
        for sent in self.alerts:
            orders = Order.objects.filter(
                signal__replay_key=replay_key_of(self.desk, sent), user=self.desk.user
            )
            assert not sent["accepted"] or orders.count() == 1 or sent["fields"].get("order_type") == "exit"
            assert orders.count() <= 1, "an alert has more than one order"
        self.audit.reckon()

    def close(self) -> None:
        for worker in self.living:
            worker.die()


def replay_key_of(desk: Any, sent: dict[str, Any]) -> str:
    alert = make_alert(desk, id=sent["key"], **sent["fields"])
    return replay_key(alert.alert_id, alert.body)


class _Listened(MemoryAdapter):
    def __init__(self, book: Book, departed: Any, on_stream: Any) -> None:
        super().__init__(book, departed)
        self._on_stream = on_stream

    def stream(self, *, on_report: Any, on_gap: Any) -> MemoryStream:
        stream = super().stream(on_report=on_report, on_gap=on_gap)
        self._on_stream(stream)
        return stream
