"""At every commit the order's row is the projection of its events; a busy run is built anew and compared."""

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from brokers.errors import BrokerUnavailable, OrderRejected, OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, NewOrder, OrdStatus
from orders.intake.replace_request import InvalidRequest
from orders.ledger.rebuild import rebuilt_differences
from orders.models import Order, OrderEvent, OrderRequest, Position, Source
from orders.services.changes import Origin
from orders.services.executions import apply_execution_reports
from orders.services.leases import Fence, take_lease
from orders.services.request_sending import send_request
from orders.services.requests import Asked, ReplaceTerms, RequestRefused, record_cancel, record_replace
from orders.services.submission import submit_order
from orders.services.unsent import deny_order
from orders.services.verification import note_check
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record_one
from tests.factories.history import past
from tests.factories.reports import make_fill, make_report
from tests.factories.traders import Desk, make_desk

ORDERS = 200
STEPS = 1200
AT_ONCE = 12

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk() -> Desk:
    return make_desk(daily_order_limit=10 * ORDERS, orders_per_minute=10 * ORDERS)


class Watch:
    """Compares the order that is being worked on after every commit of this process."""

    def __init__(self) -> None:
        self.commits = 0
        self.order: Order | None = None

    def after_commit(self) -> None:
        if self.order is not None:
            self.commits += 1
            assert rebuilt_differences([self.order.pk]) == []


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    after_commit = connection.run_and_clear_commit_hooks

    def watched() -> None:
        after_commit()
        watch.after_commit()

    with monkeypatch.context() as patch:
        patch.setattr(connection, "run_and_clear_commit_hooks", watched)
        yield watch


class Market:
    """Takes steps at random, each through the service that the desk takes it through."""

    def __init__(self, desk: Desk, fence: Fence, dice: random.Random) -> None:
        self.desk, self.fence, self.dice = desk, fence, dice
        self.names = 0

    def step(self, order: Order) -> None:
        acts: list[Callable[[Order], object]] = [
            self.send,
            self.hear,
            self.hear,
            self.hear,
            self.ask,
            self.check,
        ]
        self.dice.choice(acts)(order)

    def send(self, order: Order) -> None:
        if self.dice.random() < 0.05:
            deny_order(order.pk, reason="TOO_OLD", text="", source="sweep")
        Order.objects.filter(pk=order.pk).update(eligible_at=None)
        answers = [self.accept(order)] * 3 + [
            OrderRejected("no"),
            BrokerUnavailable("no"),
            OutcomeUnknown("?"),
        ]
        submit_order(
            order.pk,
            adapter=ScriptedAdapter(submit=self.dice.choice(answers)),
            fence=self.fence,
            before_send=lambda: None,
            heard=lambda: self.facts(order, self.dice.randint(0, 2)),
            dequeued_at=timezone.now(),
        )

    def accept(self, order: Order) -> Callable[[NewOrder], ExecutionReport]:
        return lambda command: make_report(order, self.dice.choice([ExecType.NEW, ExecType.PENDING_NEW]))

    def hear(self, order: Order) -> None:
        facts = self.facts(order, self.dice.randint(1, 4))
        apply_execution_reports(facts, account_id=self.desk.account.id, origin=Origin("stream", self.fence))

    def ask(self, order: Order) -> None:
        """Have the trader cancel or replace, and the worker send what is recorded."""
        asked = Asked(
            user_id=self.desk.user.id, order_id=order.pk, source=Source.API, received_at=timezone.now()
        )
        try:
            if self.dice.random() < 0.5:
                record_cancel(asked, statement_timeout_ms=2500)
            else:
                terms = ReplaceTerms(order_qty=Decimal(self.dice.randint(1, 20)))
                record_replace(asked, terms, statement_timeout_ms=2500)
        except (RequestRefused, InvalidRequest):
            return
        unsent = OrderRequest.objects.filter(order=order, status=OrderRequest.Status.RECORDED)
        adapter = ScriptedAdapter(
            cancel=self.dice.choice(
                [None, None, OrderRejected("late"), OutcomeUnknown("?"), BrokerUnavailable("no")]
            ),
            replace=self.dice.choice([self.replaced(order), OrderRejected("late"), OutcomeUnknown("?")]),
        )
        for request in unsent:
            send_request(request.pk, adapter=adapter, fence=self.fence, before_send=lambda: None)

    def replaced(self, order: Order) -> Callable[..., ExecutionReport]:
        return lambda command: make_report(
            order,
            ExecType.NEW,
            cl_ord_id=command.cl_ord_id,
            broker_order_id=f"venue-{command.cl_ord_id}",
            order_qty=command.order_qty or order.order_qty,
        )

    def check(self, order: Order) -> None:
        note_check(order.pk, "asked")

    def facts(self, order: Order, count: int) -> list[ExecutionReport]:
        return [self.fact(order) for _ in range(count)]

    def fact(self, order: Order) -> ExecutionReport:
        roll = self.dice.random()
        if roll < 0.5:
            return self.execution(order)
        if roll < 0.75:
            status = self.dice.choice(STATUSES)
            return make_report(order, ExecType.ORDER_STATUS, ord_status=status)
        return make_report(order, self.dice.choice(PLAIN), order_qty=Decimal(self.dice.choice([5, 10, 20])))

    def execution(self, order: Order) -> ExecutionReport:
        """A trade, one that was told before, a correction or a bust, perhaps of one that is still to come."""
        known = f"{order.cl_ord_id[-8:]}-{self.dice.randint(0, 5)}"
        self.names += 1
        kind = self.dice.choice(
            [ExecType.TRADE, ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL]
        )
        if kind is ExecType.TRADE:
            return make_fill(
                order, str(self.dice.randint(1, 4)), f"{self.dice.randint(900, 1100) / 7:.4f}", known
            )
        return make_report(
            order,
            kind,
            exec_id=f"x{self.names}-{order.cl_ord_id[-8:]}",
            exec_ref_id=known,
            last_qty=Decimal(self.dice.randint(0, 4)),
            last_px=Decimal(self.dice.randint(90, 110)),
        )


STATUSES = [
    status for status in OrdStatus if status not in ("INITIALIZED", "DENIED", "SUBMITTED", "REPLACED")
]
PLAIN = [
    ExecType.PENDING_NEW,
    ExecType.NEW,
    ExecType.PENDING_CANCEL,
    ExecType.CANCELED,
    ExecType.CANCEL_REJECTED,
    ExecType.PENDING_REPLACE,
    ExecType.REPLACED,
    ExecType.REPLACE_REJECTED,
    ExecType.RESTATED,
    ExecType.DONE_FOR_DAY,
    ExecType.STOPPED,
    ExecType.SUSPENDED,
    ExecType.TRIGGERED,
    ExecType.REJECTED,
    ExecType.EXPIRED,
]


def test_the_row_is_the_projection_of_its_events_at_every_commit(
    desk: Desk, watch: Watch, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    settings.LEASE_TTL_SECONDS = 3600
    fence = take_lease(user_id=desk.user.id, worker="w@h", host="h", pid=1)
    assert fence is not None
    dice = random.Random(20260302)
    market = Market(desk, fence, dice)
    working: list[Order] = []
    for number in range(STEPS):
        if number % (STEPS // ORDERS) == 0:
            watch.order = None
            working.append(record_one(desk, quantity="10", type="limit", price="100"))
            del working[:-AT_ONCE]
        watch.order = dice.choice(working)
        market.step(watch.order)
    assert watch.commits > STEPS
    statuses = set(OrderEvent.objects.values_list("ord_status", flat=True))
    assert statuses == set(OrdStatus) - {OrdStatus.REPLACED}, "the run was not busy enough"
    watch.order = None
    call_command("rebuild_check")
    assert capsys.readouterr().out.splitlines() == [
        f"{Order.objects.count()} orders, 0 differ from their events",
        f"{Position.objects.count()} positions, 0 differ from their executions",
    ]
    assert Order.objects.count() >= ORDERS


def filled(desk: Desk) -> Order:
    order = record_one(desk, quantity="10")
    fills = [make_fill(order, "4", "10", "a"), make_fill(order, "6", "11", "b")]
    apply_execution_reports(fills, account_id=desk.account.id, origin=Origin("stream"))
    return order


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ord_status": "CANCELED"}, "ord_status: CANCELED in the row, FILLED by its events"),
        ({"cum_qty": Decimal(9)}, "cum_qty: 9.000000000 in the row, 10.000000000 by its events"),
        ({"leaves_qty": Decimal(1)}, "leaves_qty: 1.000000000 in the row, 0.000000000 by its events"),
        ({"avg_px": None}, "avg_px: None in the row, 10.6000000000 by its events"),
        ({"order_qty": Decimal(11)}, "order_qty: 11.000000000 in the row, 10.000000000 by its events"),
        ({"ended": False, "next_check_at": timezone.now()}, "ended: False in the row, True by its events"),
        ({"state": {"order_qty": "10", "phase": "NEW"}}, "state: not what the events make of it"),
    ],
)
def test_a_row_that_says_something_else_is_found(
    desk: Desk, change: dict[str, object], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    order, other = filled(desk), filled(make_desk())
    with past():
        Order.objects.filter(pk=order.pk).update(**change)
    (finding,) = rebuilt_differences()
    assert (finding.order_id, finding.why) == (str(order.pk), why)
    assert rebuilt_differences([other.pk]) == []
    with pytest.raises(SystemExit) as ended:
        call_command("rebuild_check")
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{order.cl_ord_id} (order {order.pk}): {why}",
        "2 orders, 1 differ from their events",
        "2 positions, 0 differ from their executions",
    ]


def test_a_history_that_is_none_is_found(desk: Desk) -> None:
    order = filled(desk)
    OrderEvent.objects.create(
        order=order,
        user=desk.user,
        kind="Submitted",
        at=timezone.now(),
        data={"kind": "Submitted", "attempt": 1},
    )
    (finding,) = rebuilt_differences()
    assert finding.why == "Submitted is not allowed on an order that is FILLED"
