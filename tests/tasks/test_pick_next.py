"""Which order is sent next."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, IdempotencyClass
from orders.models import Order
from orders.services.changes import Origin
from orders.services.executions import apply_execution_report
from orders.services.leases import LeaseLost, expire_lease
from tasks.fleet.session import TraderSession, pick_next
from tasks.fleet.slots import Slot, boottime
from tasks.fleet.watching import StreamWatch
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.leases import lease_of
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

ACCOUNT = uuid.uuid4()
LATER = timezone.now() + dt.timedelta(hours=1)


@dataclass
class Row:
    """The part of an order that choosing looks at."""

    symbol: str
    position_effect: str = "OPEN"
    eligible_at: dt.datetime | None = None
    account_id: uuid.UUID = field(default=ACCOUNT)


def entry(symbol: str, eligible_at: dt.datetime | None = None) -> Row:
    return Row(symbol, eligible_at=eligible_at)


def exit_(symbol: str, eligible_at: dt.datetime | None = None) -> Row:
    return Row(symbol, "CLOSE", eligible_at)


A, B = "A", "B"


@pytest.mark.parametrize(
    ("rows", "blocked", "chosen"),
    [
        ([], set(), None),
        ([entry(A), entry(A)], set(), 0),
        ([entry(A), entry(B), exit_(B)], set(), 2),  # exits go before waiting entries
        ([entry(A), exit_(B), exit_(B)], set(), 1),  # the oldest first
        ([entry(A), exit_(B)], set(), 1),
        ([entry(A), entry(B)], {A}, 1),  # an unknown outcome in A holds its entries back
        ([entry(A), exit_(A)], {A}, 1),  # and never an exit
        ([entry(A, LATER), entry(A)], set(), None),  # what is behind it in its symbol waits too
        ([entry(A, LATER), entry(B)], set(), 1),
        ([entry(A, LATER), exit_(A)], set(), 1),
        ([exit_(A, LATER), entry(A), entry(B)], set(), 2),
    ],
)
def test_the_next_order(rows: list[Row], blocked: set[str], chosen: int | None) -> None:
    picked = pick_next(rows, {(ACCOUNT, symbol) for symbol in blocked})  # type: ignore[arg-type]
    assert picked is (None if chosen is None else rows[chosen])


# --- what blocks: any order of unknown outcome, whoever sent it ---


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@dataclass
class Account:
    """An account's session over a scripted broker that accepts everything and knows of nothing."""

    adapter: ScriptedAdapter
    account_id: uuid.UUID
    stream: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(is_live=True))

    @property
    def watch(self) -> StreamWatch:
        return StreamWatch(self.stream)  # type: ignore[arg-type]

    @contextmanager
    def holding(self, order: Order) -> Iterator[Callable[[], list[ExecutionReport]]]:
        yield list


def new_session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[TraderSession, ScriptedAdapter]:
    """Return the session of a worker that has just claimed the trader, over a broker of class C."""
    adapter = ScriptedAdapter(
        submit=lambda command: make_report(Order.objects.get(cl_ord_id=command.cl_ord_id), ExecType.NEW),
        idempotency_class=IdempotencyClass.C,
    )
    slot = Slot(deadline=boottime() + 60)
    session = TraderSession(lease_of(desk), slot)
    account = Account(adapter, desk.account.id)
    monkeypatch.setattr(session, "_account", lambda _: account)
    monkeypatch.setattr("tasks.fleet.session.answer", lambda *_: None)
    return session, adapter


def holder_of(desk: Desk, session: TraderSession, adapter: ScriptedAdapter) -> None:
    """Give the trader 10 AAPL, so that there is something to close."""
    entry = record_one(desk, quantity="10")
    session.work()
    apply_execution_report(
        make_fill(entry, "10"), account_id=desk.account.id, origin=Origin("stream", session.fence)
    )
    adapter.sent.clear()


def answer_lost(desk: Desk, session: TraderSession, adapter: ScriptedAdapter, **fields: str) -> Order:
    """Have the session send an order of the trader's whose answer never comes."""
    accepting, adapter.submit = adapter.submit, OutcomeUnknown("timeout")
    order = record_one(desk, **fields)
    session.work()
    adapter.submit = accepting
    adapter.sent.clear()
    return order


@pytest.mark.django_db
def test_what_is_unknown_blocks_entries_of_its_symbol_also_for_the_next_worker(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    holder_of(desk, session, adapter)
    unknown = answer_lost(desk, session, adapter)
    behind, elsewhere = record_one(desk), record_one(desk, symbol="MSFT")
    way_out = record_one(desk, action="sell", order_type="exit", quantity="4")

    def sent_by(session: TraderSession, adapter: ScriptedAdapter) -> list[str]:
        session.work()
        return [command.cl_ord_id for command in adapter.sent]

    assert sorted(sent_by(session, adapter)) == sorted([elsewhere.cl_ord_id, way_out.cl_ord_id])

    expire_lease(user_id=desk.user.id, epoch=session.fence.epoch)
    successor, its_adapter = new_session(desk, monkeypatch)
    assert successor.fence.epoch == session.fence.epoch + 1
    for _ in range(6):
        Order.objects.filter(pk=unknown.pk).update(next_check_at=timezone.now())
        assert sent_by(successor, its_adapter) == [], "it was sent again, or what it blocks was"
    assert Order.objects.get(pk=unknown.pk).checks >= 6

    applied = apply_execution_report(
        make_report(unknown, ExecType.NEW),
        account_id=desk.account.id,
        origin=Origin("stream", successor.fence),
    )
    assert applied is not None
    assert sent_by(successor, its_adapter) == [behind.cl_ord_id]


@pytest.mark.django_db
def test_an_unknown_exit_blocks_entries_and_no_other_exit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    holder_of(desk, session, adapter)
    answer_lost(desk, session, adapter, action="sell", order_type="exit", quantity="4")
    record_one(desk)
    second = record_one(desk, action="sell", order_type="exit", quantity="6")
    session.work()
    assert [command.cl_ord_id for command in adapter.sent] == [second.cl_ord_id]


def test_another_account_is_another_place() -> None:
    rows = [Row(A, eligible_at=LATER), Row(A, account_id=uuid.uuid4())]
    assert pick_next(rows, set()) is rows[1]  # type: ignore[arg-type]


# --- trouble with one order ---


def submitting(bad: Order, error: BaseException) -> Callable[[object], ExecutionReport]:
    def submit(command: object) -> ExecutionReport:
        order = Order.objects.get(cl_ord_id=command.cl_ord_id)  # type: ignore[attr-defined]
        if order == bad:
            raise error
        return make_report(order, ExecType.NEW)

    return submit


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error", [KeyError("qty"), TypeError("None"), AttributeError("x"), ArithmeticError("x")]
)
def test_trouble_with_one_order_ends_no_others_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    bad, good = record_one(desk), record_one(desk, symbol="MSFT")
    adapter.submit = submitting(bad, error)
    session.work()
    assert Order.objects.get(pk=good.pk).ord_status == "NEW"


@pytest.mark.django_db
@pytest.mark.parametrize("error", [LeaseLost("gone"), OperationalError("away"), InterfaceError("closed")])
def test_what_is_about_the_process_ends_the_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    adapter.submit = submitting(record_one(desk), error)
    with pytest.raises(type(error)):
        session.work()


@pytest.mark.django_db
def test_a_troubled_order_is_left_alone_for_ever_longer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = new_session(desk, monkeypatch)
    now, tries = [1000.0], []
    monkeypatch.setattr("tasks.fleet.session.boottime", lambda: now[0])
    record_one(desk)

    def fail(order_id: uuid.UUID, **_: object) -> None:
        tries.append(now[0] - 1000)
        raise TypeError("before transaction 1")

    monkeypatch.setattr("tasks.fleet.session.submit_order", fail)
    for _ in range(120):
        assert not session.work()
        now[0] += 0.25
    assert tries == [0, 1, 3, 7, 15]


@pytest.mark.django_db
def test_a_look_up_in_trouble_counts_and_waits_for_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, adapter = new_session(desk, monkeypatch)
    order = record_one(desk)
    adapter.submit, adapter.found = OutcomeUnknown("timeout"), KeyError("status")
    session.work()
    order.refresh_from_db()
    assert (order.ord_status, order.checks) == ("SUBMITTED", 1)
    assert order.next_check_at is not None
    assert order.next_check_at > timezone.now()


@pytest.mark.django_db
def test_orders_that_wait_for_the_open_hide_no_exit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session, adapter = new_session(desk, monkeypatch)
    holder_of(desk, session, adapter)
    waiting = [record_one(desk, symbol="MSFT") for _ in range(501)]
    Order.objects.filter(pk__in=[one.pk for one in waiting]).update(eligible_at=LATER)
    way_out = record_one(desk, action="close_long")
    session.work()
    assert [command.cl_ord_id for command in adapter.sent] == [way_out.cl_ord_id]


@pytest.mark.django_db
def test_an_account_in_trouble_is_not_asked_at_every_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = new_session(desk, monkeypatch)
    orders = [record_one(desk) for _ in range(2)]
    session.work()
    Order.objects.update(next_check_at=timezone.now())
    opened = []

    def fail(account_id: uuid.UUID) -> None:
        opened.append(account_id)
        raise KeyError("no such broker")

    monkeypatch.setattr(session, "_account", fail)
    assert [session.work() for _ in orders] == [False, False]
    assert opened == [desk.account.id]
