"""Missed facts are applied and told of; cash is compared; when an account is compared."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from brokers.types import OrdStatus, Side
from orders.models import (
    AccountHalt,
    AttentionItem,
    Errand,
    Order,
    Position,
    ReconciliationFinding,
    ReconciliationRun,
)
from orders.services.reconciliation.asking import ask_at_start, ask_due, ask_now
from orders.services.reconciliation.findings import accept_finding
from tests.factories.alerts import record_one
from tests.factories.books import Books, compare
from tests.factories.leases import Fence
from tests.factories.reports import make_fill
from tests.factories.sending import at_broker, hear, hold
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db

AGO = dt.timedelta(minutes=1)


def kinds() -> list[str]:
    return list(ReconciliationFinding.objects.order_by("id").values_list("kind", flat=True))


def test_a_missed_fill_is_applied_once_and_told_of(desk: Desk, fence: Fence) -> None:
    order = at_broker(desk)
    books = Books.of(desk)
    theirs = books.shows(order, OrdStatus.FILLED, cum_qty=Decimal(10))
    books.fill(theirs, "10", "99", transact_time=timezone.now() - AGO)
    books.hold("10", "99")
    _, applied = compare(desk, fence, books)
    order.refresh_from_db()
    assert (order.ord_status, order.avg_px) == ("FILLED", 99)
    assert [one.order.id for one in applied] == [order.id]
    assert kinds() == ["MISSED_FILL"]
    _, applied = compare(desk, fence, books)
    assert applied == []
    assert kinds() == ["MISSED_FILL"]


def test_what_the_stream_is_about_to_tell_is_no_finding(desk: Desk, fence: Fence) -> None:
    order = at_broker(desk)
    books = Books.of(desk)
    theirs = books.shows(order, OrdStatus.FILLED, cum_qty=Decimal(10))
    told = books.fill(theirs, "10", "99")
    books.hold("10", "99")
    compare(desk, fence, books)
    hear(order, told)
    assert (order.ord_status, order.cum_qty) == ("FILLED", 10)
    assert kinds() == []


def test_an_end_that_nobody_heard_of_is_applied(desk: Desk, fence: Fence) -> None:
    order = at_broker(desk)
    books = Books.of(desk)
    books.shows(order, OrdStatus.EXPIRED, transact_time=timezone.now() - AGO)
    compare(desk, fence, books)
    order.refresh_from_db()
    finding = ReconciliationFinding.objects.get()
    assert (order.ord_status, finding.kind, finding.ours, finding.theirs) == (
        "EXPIRED",
        "ORDER_CHANGED",
        "NEW, 0 filled",
        "EXPIRED, 0 filled",
    )


def test_an_order_in_flight_is_left_to_its_look_up(desk: Desk, fence: Fence, unknown: Order) -> None:
    books = Books.of(desk)
    books.shows(unknown, OrdStatus.NEW)
    compare(desk, fence, books)
    unknown.refresh_from_db()
    assert unknown.ord_status == "SUBMITTED"
    assert kinds() == []


# --- cash ---


def test_the_first_comparison_says_what_cash_there_was(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    books = Books.of(desk)
    run, _ = compare(desk, fence, books)
    run.refresh_from_db()
    assert (run.is_cash_base, run.broker_cash, run.booked_cash) == (True, 99_000, -1000)
    run, _ = compare(desk, fence, books)
    assert not run.is_cash_base


def test_cash_alone_alarms_and_halts_nothing(desk: Desk, fence: Fence) -> None:
    books = Books.of(desk)
    compare(desk, fence, books)
    books.cash += Decimal("0.01")
    compare(desk, fence, books)
    assert kinds() == []
    books.cash += Decimal(500)
    compare(desk, fence, books)
    compare(desk, fence, books)
    finding = ReconciliationFinding.objects.get()
    assert (finding.kind, finding.ours, finding.theirs, finding.runs_seen) == (
        "CASH_DIFFERS",
        "100000",
        "100500.01",
        2,
    )
    assert AttentionItem.objects.get().kind == "CASH_DIFFERS"
    assert not AccountHalt.objects.exists()
    assert record_one(desk).ord_status == "INITIALIZED"


def test_a_deposit_that_an_operator_accepts_is_what_there_is_from_then_on(desk: Desk, fence: Fence) -> None:
    books = Books.of(desk)
    compare(desk, fence, books)
    books.cash += Decimal(500)
    compare(desk, fence, books)
    operator = User.objects.create(username="olga")
    assert accept_finding(ReconciliationFinding.objects.get(), operator, "a deposit")
    compare(desk, fence, books)
    books.cash += Decimal(1)
    compare(desk, fence, books)
    assert ReconciliationFinding.objects.latest("id").ours == "100500"


# --- when ---


def asked() -> list[int]:
    """Return the traders whose workers are to compare something."""
    errands = Errand.objects.filter(kind=Errand.Kind.RECONCILE)
    return sorted(errands.values_list("user", flat=True))


def test_who_is_compared_when(desk: Desk, fence: Fence, settings: Any) -> None:
    make_desk()  # has nothing
    ask_due()
    assert asked() == []
    hold(desk, "10")
    ask_due()
    assert asked() == [desk.user.id]
    first = Errand.objects.values().get(kind=Errand.Kind.RECONCILE)
    ask_due()
    assert Errand.objects.values().get(kind=Errand.Kind.RECONCILE) == first, "it is asked for already"
    compare(desk, fence, Books.of(desk))
    ask_due()
    assert asked() == []
    later = timezone.now() + dt.timedelta(seconds=settings.RECONCILE_SECONDS)
    ask_due(now=later)
    assert asked() == [desk.user.id]


def test_the_moments_after_the_close_make_it_due(desk: Desk, fence: Fence, settings: Any) -> None:
    settings.RECONCILE_SECONDS = 1e9
    desk.account.market = "24/7"
    desk.account.save()
    hold(desk, "10")
    run, _ = compare(desk, fence, Books.of(desk))
    mark = dt.datetime.combine(timezone.now().date() + dt.timedelta(days=1), dt.time(18), dt.UTC)
    ReconciliationRun.objects.filter(pk=run.pk).update(started_at=mark - dt.timedelta(seconds=1))
    ask_due(now=mark - dt.timedelta(milliseconds=1))
    assert asked() == []
    ask_due(now=mark)
    assert asked() == [desk.user.id]
    Errand.objects.all().delete()
    ReconciliationRun.objects.filter(pk=run.pk).update(started_at=mark)
    ask_due(now=mark)
    assert asked() == []
    ask_due(now=mark + dt.timedelta(minutes=15))
    assert asked() == [desk.user.id]


def test_a_worker_that_begins_has_only_those_compared_that_have_something(desk: Desk) -> None:
    assert ask_at_start(desk.user.id) == 0
    hold(desk, "10")
    assert ask_at_start(desk.user.id) == 1
    Errand.objects.all().delete()
    Position.objects.update(qty=0, cost=0, updated_at=timezone.now() - dt.timedelta(days=3))
    Order.objects.update(next_check_at=None)
    assert ask_at_start(desk.user.id) == 0


def test_asked_for_again_meanwhile_it_is_compared_again(desk: Desk, fence: Fence) -> None:
    books = Books.of(desk)
    books.on_positions = lambda: ask_now(desk.account)
    compare(desk, fence, books)
    assert Errand.objects.get().due_at <= timezone.now()


def test_an_order_of_another_account_is_none_of_this_one(desk: Desk, fence: Fence) -> None:
    other = make_desk()
    elsewhere = at_broker(other)
    books = Books.of(desk)
    books.order(Side.BUY, "10", cl_ord_id=elsewhere.cl_ord_id)
    compare(desk, fence, books)
    assert Order.objects.get(account=desk.account).source == "external"
    hear(elsewhere, make_fill(elsewhere, "10"))
    assert Order.objects.get(account=desk.account).cum_qty == 0
