"""A stream that is lost, or silent: it is noticed, asked around, opened anew, and relied on again once it speaks."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.types import ExecType, ExecutionReport, OrdStatus
from orders.models import Errand, Order
from orders.selectors import has_open_orders
from orders.services.executions import Applied
from tasks.fleet import accounts
from tasks.fleet.process import WorkerProcess, soonest
from tasks.fleet.session import TraderSession
from tasks.fleet.slots import Slot, boottime
from tasks.fleet.watching import StreamWatch, known_of
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill, make_report
from tests.factories.sending import hear
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db

BLIND, SILENCE, SUSPECT = 5.0, 2.0, 300.0


class FakeStream:
    def __init__(self, *, is_live: bool = True) -> None:
        self.is_live = is_live
        self.renewed = 0

    def wait_live(self, timeout_seconds: float) -> bool:
        return self.is_live

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        self.is_live = False


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def timings(settings: Any) -> None:
    settings.VERIFY_BLIND_SECONDS = BLIND
    settings.STREAM_SILENCE_SECONDS = SILENCE
    settings.STREAM_SUSPECT_SECONDS = SUSPECT


@pytest.fixture
def desk() -> Desk:
    return make_desk()


# --- the watch ---


def test_a_live_stream_is_relied_on_and_a_lost_one_is_polled_for_every_few_seconds() -> None:
    stream, clock = FakeStream(), Clock()
    watch = StreamWatch(stream, clock)
    assert watch.is_reliable
    assert watch.poll_in_seconds() is None
    assert not watch.takes_poll(wanted=True)
    stream.is_live = False
    assert watch.poll_in_seconds() == 0
    assert watch.takes_poll(wanted=True)
    assert watch.poll_in_seconds() == BLIND
    assert not watch.takes_poll(wanted=True)
    clock.now += BLIND
    assert watch.takes_poll(wanted=True)
    stream.is_live = True
    assert watch.poll_in_seconds() is None
    stream.is_live = False
    assert watch.poll_in_seconds() == 0


def test_without_anything_open_nothing_is_polled_until_there_is() -> None:
    watch = StreamWatch(FakeStream(is_live=False), Clock())
    assert not watch.takes_poll(wanted=False)
    assert watch.poll_in_seconds() is None
    assert watch.takes_poll(wanted=True)


def found(order: Order, age_seconds: float, *, changed: bool = True, cum_qty: str = "4") -> Sequence[Applied]:
    """Return what polling brings: a fill of so many seconds ago."""
    filled = Order(id=order.id, cum_qty=Decimal(cum_qty), ended=False)
    filled.transact_time = timezone.now() - dt.timedelta(seconds=age_seconds)
    return [Applied(filled, changed, False)]


@pytest.mark.parametrize(
    ("age_seconds", "rest", "silent"),
    [
        (5, {}, True),
        (1, {}, False),  # the stream may be about to tell it
        (60, {}, False),  # before the stream was there
        (5, {"changed": False}, False),  # it was known already
        (5, {"cum_qty": "0"}, False),  # no news
    ],
)
def test_what_a_poll_proves_of_a_live_stream(
    age_seconds: float, rest: dict[str, Any], *, silent: bool
) -> None:
    stream, clock = FakeStream(), Clock()
    watch = StreamWatch(stream, clock)
    assert watch.is_reliable
    watch._live_since = timezone.now() - dt.timedelta(seconds=30)
    order = Order(id=uuid.uuid4(), cum_qty=Decimal(0), ended=False)
    assert watch.finds_silence(known_of([order]), found(order, age_seconds, **rest)) is silent
    assert watch.is_reliable is not silent
    assert watch.poll_in_seconds() == (0 if silent else None)


def test_a_suspected_stream_is_polled_for_until_it_speaks_or_for_a_while() -> None:
    clock = Clock()
    watch = StreamWatch(FakeStream(), clock)
    order = Order(id=uuid.uuid4(), cum_qty=Decimal(0), ended=False)

    def suspect() -> None:
        assert watch.is_reliable
        watch._live_since = timezone.now() - dt.timedelta(seconds=30)
        assert watch.finds_silence(known_of([order]), found(order, 5))
        assert not watch.is_reliable

    suspect()
    # What the new connection's first poll finds is from before it, and proves nothing against it.
    assert not watch.finds_silence(known_of([order]), found(order, 5))
    watch.heard()
    suspect()
    clock.now += SUSPECT
    assert watch.is_reliable


def test_the_worker_sleeps_until_the_first_of_what_is_due() -> None:
    assert soonest(None, 3.0, 5.0) == 3.0
    assert soonest(None, None) is None


# --- the worker ---


class Broker(ScriptedAdapter):
    """A scripted broker with a stream that the test tells what to say."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = FakeStream()
        self.on_report: Callable[[ExecutionReport], None] = lambda report: None
        self.on_gap: Callable[[], None] = lambda: None
        self.opened = 0

    def stream(
        self, *, on_report: Callable[[ExecutionReport], None], on_gap: Callable[[], None]
    ) -> FakeStream:
        self.on_report, self.on_gap = on_report, on_gap
        self.opened += 1
        return self.heard

    def close(self) -> None:
        pass


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    broker = Broker()
    monkeypatch.setattr(accounts, "adapter_for", lambda account: broker)
    for module in ("accounts", "process"):  # the connection is the test's own, in its transaction
        monkeypatch.setattr(f"tasks.fleet.{module}.close_old_connections", lambda: None)
    for module in ("tasks.fleet.accounts", "tasks.fleet.session"):
        monkeypatch.setattr(f"{module}.answer", lambda *_: None)
        monkeypatch.setattr(f"{module}.answer_requests", lambda *_: None)
    monkeypatch.setattr("tasks.routing.ring", lambda user_id: None)
    yield broker


def start_worker(desk: Desk) -> TraderSession:
    return TraderSession(lease_of(desk), Slot(deadline=boottime() + 60))


def at_rest(desk: Desk) -> Order:
    """Return a limit order of 10 that its broker has had for two minutes."""
    order = record_one(desk, type="limit", price="100", quantity="10")
    return hear(
        order, make_report(order, ExecType.NEW, transact_time=timezone.now() - dt.timedelta(minutes=2))
    )


def working(order: Order) -> ExecutionReport:
    told = {"ord_status": OrdStatus.NEW, "cum_qty": Decimal(0), "transact_time": order.transact_time}
    return make_report(order, ExecType.ORDER_STATUS, **told)


def filled(order: Order, age_seconds: float) -> list[ExecutionReport]:
    """Return what the broker lists of an order of 10 that was filled so many seconds ago: its status, its fill."""
    at = timezone.now() - dt.timedelta(seconds=age_seconds)
    listed = {"ord_status": OrdStatus.FILLED, "cum_qty": Decimal(10), "transact_time": at}
    status = make_report(order, ExecType.ORDER_STATUS, **listed)
    return [status, make_fill(order, "10", cum_qty=Decimal(10), transact_time=at)]


def test_a_new_worker_opens_the_streams_of_resting_orders_and_an_idle_one_keeps_them(
    desk: Desk, broker: Broker
) -> None:
    order = at_rest(desk)
    broker.listed = [working(order)]
    session = start_worker(desk)
    session.work()
    assert broker.opened == 1
    assert broker.heard.is_live
    worker = WorkerProcess(Slot(idle_since=boottime() - 1_000_000), "a")
    worker.session = session
    assert not worker._is_released(), "an idle worker has let a resting order's stream go"
    broker.on_report(make_fill(order, "10"))
    order.refresh_from_db()
    Errand.objects.filter(kind=Errand.Kind.RECONCILE).delete()  # this broker has no books to compare with
    assert (order.ord_status, has_open_orders(desk.user.id)) == (OrdStatus.FILLED, False)
    assert worker._is_released()


def test_while_the_stream_is_lost_open_orders_are_asked_about_soon_and_often(
    desk: Desk, broker: Broker
) -> None:
    order = at_rest(desk)
    broker.listed = [working(order)]
    session = start_worker(desk)
    session.work()
    order.refresh_from_db()
    due = order.next_check_at
    assert session.poll_in_seconds() is None
    broker.heard.is_live = False
    asked = len(broker.asked)
    assert session.poll_in_seconds() == 0
    broker.listed, broker.executions = filled(order, 0)[:1], filled(order, 0)[1:]
    session.work()
    assert len(broker.asked) > asked
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty) == (OrdStatus.FILLED, 10)
    assert due is not None
    assert due > timezone.now(), "it was found by its regular check, not by the poll"
    assert broker.heard.renewed == 0


def test_polling_blindly_leaves_the_schedule_of_the_checks_alone(desk: Desk, broker: Broker) -> None:
    order = at_rest(desk)
    broker.listed = [working(order)]
    session = start_worker(desk)
    session.work()
    order.refresh_from_db()
    before = (order.next_check_at, order.checks)
    broker.heard.is_live = False
    session.work()
    order.refresh_from_db()
    assert (order.next_check_at, order.checks) == before


def test_a_lost_stream_wakes_an_idle_worker_at_its_next_tick(
    desk: Desk, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = at_rest(desk)
    broker.listed = [working(order)]
    worker = WorkerProcess(Slot(idle_since=boottime()), "a")
    worker.session = start_worker(desk)
    worker.session.work()
    waits: list[float] = []
    monkeypatch.setattr(worker, "_work_after", waits.append)
    worker.tick()
    assert waits == []
    broker.heard.is_live = False
    worker.tick()
    assert waits == [0.0]


def test_a_stream_that_is_live_and_silent_is_opened_anew_and_polled_for(desk: Desk, broker: Broker) -> None:
    order, other = at_rest(desk), at_rest(desk)
    broker.listed = [working(order), working(other)]
    session = start_worker(desk)
    session.work()
    session._accounts[desk.account.id].watch._live_since = timezone.now() - dt.timedelta(seconds=60)
    Order.objects.update(next_check_at=timezone.now())
    status, fill = filled(order, 10)
    broker.listed, broker.executions = [status, working(other)], [fill]
    session.work()
    order.refresh_from_db()
    assert order.ord_status == OrdStatus.FILLED
    assert broker.heard.renewed == 1
    assert 0 < (session.poll_in_seconds() or 0) <= BLIND, "the other order is not followed closely"
    broker.on_report(make_report(other, ExecType.NEW))
    assert session.poll_in_seconds() is None


def test_a_gap_has_everything_asked_about_at_once(desk: Desk, broker: Broker) -> None:
    order = at_rest(desk)
    broker.listed = [working(order)]
    session = start_worker(desk)
    session.work()
    order.refresh_from_db()
    assert order.next_check_at is not None
    assert order.next_check_at > timezone.now()
    broker.on_gap()
    status, fill = filled(order, 0)
    broker.listed, broker.executions = [status], [fill]
    session.work()
    order.refresh_from_db()
    assert (order.ord_status, order.cum_qty) == (OrdStatus.FILLED, 10)
    assert hear(order, fill).cum_qty == 10  # the stream comes with it after all
