"""Sizing an entry: planned when it is recorded, settled when it is sent, by price and account at the broker."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from brokers.errors import BrokerUnavailable
from brokers.types import AccountReport, ExecType, OrdStatus, Quote
from orders.intake.sizing import SizingError
from orders.models import AccountSnapshot, Order, OrderEvent
from orders.services.leases import Fence
from orders.services.sizing_facts import FactsMissing, facts_for, keep_snapshot
from orders.services.submission import submit_order
from orders.services.unsent import put_off_sizing
from tests.factories.adapters import ScriptedAdapter
from tests.factories.alerts import record, record_one
from tests.factories.instruments import WHOLE, keep, listing
from tests.factories.reports import make_report
from tests.factories.sending import hold
from tests.factories.traders import Desk, make_account, make_desk

pytestmark = pytest.mark.django_db

D = Decimal


@dataclasses.dataclass
class Broker(ScriptedAdapter):
    """An adapter that has a quote and an account besides, and counts how often it is asked."""

    bid: str | None = "99.50"
    ask: str | None = "100"
    quote_age: float = 0.0
    equity: str = "100000"
    currency: str = "USD"

    def quote(self, symbol: str) -> Quote:
        self.asked.append("quote")
        at = timezone.now() - dt.timedelta(seconds=self.quote_age)
        return Quote(symbol, self.bid and D(self.bid), self.ask and D(self.ask), at)  # type: ignore[arg-type]

    def account(self) -> AccountReport:
        self.asked.append("account")
        equity = D(self.equity)
        return AccountReport("PA1", self.currency, equity, equity, equity * 2, False)


def send(order: Order, fence: Fence, broker: Broker | None = None) -> Order:
    """Have the worker size and send the order; return it as it is then."""
    broker = broker or Broker()
    broker.submit = lambda command: make_report(order, ExecType.NEW, order_qty=command.order_qty)
    facts = facts_for(order.id, broker) if order.needs_sizing else None  # type: ignore[arg-type]
    submit_order(
        order.id,
        adapter=broker,  # type: ignore[arg-type]
        fence=fence,
        before_send=lambda: None,
        heard=lambda: (),
        dequeued_at=timezone.now(),
        facts=facts,
    )
    order.refresh_from_db()
    return order


def ruled(method: str, value: str | None = None, **strategy: Any) -> Desk:
    numbers = {name: D(number) for name, number in strategy.items()}
    return make_desk(sizing_method=method, sizing_value=value and D(value), **numbers)


def entry(desk: Desk, **fields: Any) -> Order:
    """Record an entry without a quantity."""
    return record_one(desk, quantity=None, **fields)


# --- recording ---


@pytest.mark.parametrize("method", ["CASH", "PERCENT_OF_EQUITY"])
def test_what_needs_a_price_is_recorded_without_a_quantity(method: str) -> None:
    order = entry(ruled(method, "50", max_quantity="7"))
    assert (order.order_qty, order.leaves_qty, order.ord_status) == (0, 0, "INITIALIZED")
    assert order.sizing == {"method": method, "value": "50", "max_quantity": "7"}
    assert order.needs_sizing
    assert str(order) == "BUY unsized AAPL"
    assert OrderEvent.objects.get(order=order, kind="Recorded").data["sizing"] == order.sizing


def test_the_alerts_own_quantity_wins() -> None:
    order = record_one(ruled("CASH", "50"), quantity="3")
    assert (order.order_qty, order.sizing) == (3, None)


def test_a_fixed_quantity_needs_nobody() -> None:
    order = entry(ruled("FIXED", default_quantity="4"))
    assert (order.order_qty, order.sizing) == (4, None)


@pytest.mark.parametrize(
    ("method", "fields", "code"),
    [
        ("FIXED", {}, "NO_QUANTITY"),
        ("RISK_AMOUNT", {}, "NO_STOP"),
        ("RISK_PERCENT", {"type": "limit", "price": "100"}, "NO_STOP"),
    ],
)
def test_what_nothing_can_mend_is_refused_at_once(method: str, fields: dict[str, str], code: str) -> None:
    desk = ruled(method, None if method == "FIXED" else "1")
    with pytest.raises(SizingError) as refusal:
        entry(desk, **fields)
    assert refusal.value.code == code
    assert not Order.objects.exists()


def test_a_limit_with_its_stop_on_the_wrong_side_is_refused_at_once() -> None:
    desk = ruled("RISK_AMOUNT", "100")
    with pytest.raises(SizingError) as refusal:
        entry(desk, type="stop", stop_price="100", stop_loss="101")
    assert refusal.value.code == "STOP_ON_WRONG_SIDE"


@pytest.mark.parametrize(("quantity", "code"), [("11", "ABOVE_MAXIMUM"), ("1", "BELOW_MINIMUM")])
def test_the_strategys_limits_hold_for_the_alerts_own_quantity(quantity: str, code: str) -> None:
    desk = ruled("FIXED", min_quantity="2", max_quantity="10")
    with pytest.raises(SizingError) as refusal:
        record_one(desk, quantity=quantity)
    assert refusal.value.code == code
    assert record_one(desk, quantity="10").order_qty == 10


def test_an_amount_is_checked_at_once_where_the_order_has_a_price() -> None:
    desk = ruled("FIXED", max_notional="1000")
    with pytest.raises(SizingError, match="an amount of 1100 is above the maximum of 1000"):
        record_one(desk, quantity="11", type="limit", price="100")
    assert record_one(desk, quantity="10", type="limit", price="100").sizing is None


def test_each_account_of_a_strategy_is_sized_by_itself() -> None:
    desk = ruled("CASH", "500")
    desk.strategy.accounts.add(make_account(desk.user))
    assert [order.order_qty for order in record(desk, quantity=None)] == [0]


# --- settling ---


@pytest.mark.parametrize(
    ("method", "value", "fields", "quantity", "asked"),
    [
        ("CASH", "1050", {}, "10", ["quote"]),
        ("CASH", "1050", {"action": "sell"}, "10", ["quote"]),
        ("CASH", "1050", {"type": "limit", "price": "50"}, "21", []),
        ("PERCENT_OF_EQUITY", "2", {}, "20", ["quote", "account"]),
        ("PERCENT_OF_EQUITY", "2", {"type": "stop", "stop_price": "200"}, "10", ["account"]),
        ("RISK_AMOUNT", "100", {"stop_loss": "98"}, "50", ["quote"]),
        ("RISK_AMOUNT", "100", {"stop_loss": {"offset": "4"}}, "25", ["quote"]),
        ("RISK_AMOUNT", "100", {"trailing": "5"}, "20", ["quote"]),
        ("RISK_PERCENT", "1", {"stop_loss": {"percent": "2"}}, "500", ["quote", "account"]),
        ("RISK_PERCENT", "1", {"action": "sell", "stop_loss": "101.5"}, "500", ["quote", "account"]),
    ],
)
def test_the_worker_sizes_by_what_the_broker_says(
    method: str, value: str, fields: dict[str, Any], quantity: str, asked: list[str]
) -> None:
    from tests.factories.leases import lease_of

    desk = ruled(method, value)
    keep("paper", listing("AAPL", **WHOLE))
    broker = Broker()
    order = send(entry(desk, **fields), lease_of(desk), broker)
    assert (order.order_qty, order.ord_status) == (D(quantity), "NEW")
    assert [command.order_qty for command in broker.sent] == [D(quantity)]
    assert broker.asked == asked


def test_what_it_was_sized_by_stays_with_the_order() -> None:
    from tests.factories.leases import lease_of

    desk = ruled("RISK_PERCENT", "1")
    order = send(entry(desk, stop_loss="95"), lease_of(desk))
    assert order.sizing is not None and not order.needs_sizing
    used = order.sizing["used"]
    assert {name: used[name] for name in ("price", "equity", "stop_distance")} == {
        "price": "100",
        "equity": "100000",
        "stop_distance": "5",
    }
    assert order.order_qty == 200
    resized = OrderEvent.objects.get(order=order, kind="Resized")
    assert (resized.data["order_qty"], resized.data["sizing"]) == ("200", order.sizing)
    assert resized.ord_status == OrdStatus.INITIALIZED


def test_a_strategy_that_is_edited_meanwhile_changes_nothing(fence: Fence, desk: Desk) -> None:
    desk.strategy.sizing_method, desk.strategy.sizing_value = "CASH", D(1000)
    desk.strategy.save()
    order = entry(desk)
    desk.strategy.sizing_value = D(5)
    desk.strategy.save()
    assert send(order, fence).order_qty == 10


def test_too_little_is_denied_in_words_and_nothing_is_sent(fence: Fence, desk: Desk) -> None:
    desk.strategy.sizing_method, desk.strategy.sizing_value = "CASH", D(99)
    desk.strategy.save()
    keep("paper", listing("AAPL", **WHOLE))
    broker = Broker()
    order = send(entry(desk), fence, broker)
    assert (order.ord_status, order.reason, order.order_qty) == ("DENIED", "BELOW_STEP", 0)
    assert order.text == "Not sized: 0.99 is less than one step of 1."
    assert broker.sent == []


def test_a_maximum_cuts_what_a_rule_has_worked_out(fence: Fence, desk: Desk) -> None:
    desk.strategy.sizing_method, desk.strategy.sizing_value = "RISK_AMOUNT", D(1000)
    desk.strategy.max_notional = D(2500)
    desk.strategy.save()
    assert send(entry(desk, stop_loss={"offset": "0.01"}), fence).order_qty == 25


@pytest.mark.parametrize(("quantity", "status"), [("10", "NEW"), ("11", "DENIED")])
def test_a_named_quantity_is_checked_and_not_cut(
    fence: Fence, desk: Desk, quantity: str, status: str
) -> None:
    desk.strategy.max_notional = D(1000)
    desk.strategy.save()
    order = record_one(desk, quantity=quantity)
    assert order.order_qty == D(quantity) and order.needs_sizing
    order = send(order, fence)
    assert (order.ord_status, order.order_qty) == (status, D(quantity))


def test_another_currency_is_not_reckoned_as_if_it_were_the_same(fence: Fence, desk: Desk) -> None:
    desk.strategy.sizing_method, desk.strategy.sizing_value = "PERCENT_OF_EQUITY", D(1)
    desk.strategy.save()
    keep("paper", listing("AAPL"))
    order = send(entry(desk), fence, Broker(currency="TWD"))
    assert (order.ord_status, order.reason) == ("DENIED", "WRONG_CURRENCY")


def test_an_order_with_its_quantity_pays_nothing_for_sizing(fence: Fence, desk: Desk) -> None:
    def statements(order: Order) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            send(order, fence)
        return [query["sql"] for query in queries]

    asked = statements(record_one(desk))
    besides = [sql for sql in asked if "has_multiplier" not in sql]  # which the lock of its row tells of, too
    assert not [sql for sql in besides if "snapshot" in sql or "brokers_instrument" in sql]
    assert asked == [] or len(asked) == len(statements(record_one(desk)))


# --- what is known ---


@pytest.fixture
def by_equity(desk: Desk) -> Order:
    desk.strategy.sizing_method, desk.strategy.sizing_value = "PERCENT_OF_EQUITY", D(1)
    desk.strategy.save()
    return entry(desk)


def test_figures_that_are_fresh_are_not_asked_for_again(by_equity: Order, fence: Fence) -> None:
    keep_snapshot(by_equity.account_id, Broker(equity="50000").account())
    broker = Broker()
    assert send(by_equity, fence, broker).order_qty == 5
    assert broker.asked == ["quote"]


def test_figures_that_are_old_are(by_equity: Order, fence: Fence) -> None:
    keep_snapshot(by_equity.account_id, Broker(equity="50000").account())
    AccountSnapshot.objects.update(taken_at=timezone.now() - dt.timedelta(seconds=31))
    assert send(by_equity, fence).order_qty == 10
    snapshot = AccountSnapshot.objects.get()
    assert (snapshot.equity, snapshot.buying_power) == (100_000, 200_000)
    assert timezone.now() - snapshot.taken_at < dt.timedelta(seconds=5)


@pytest.mark.parametrize(
    ("broker", "why"),
    [
        (Broker(quote_age=31), "the last quote of AAPL is 31 s old"),
        (Broker(ask=None), "the quote of AAPL has no price to buy at"),
    ],
)
def test_a_price_that_is_none_sizes_nothing(by_equity: Order, broker: Broker, why: str) -> None:
    with pytest.raises(FactsMissing, match=why):
        facts_for(by_equity.id, broker)  # type: ignore[arg-type]


def test_what_cannot_be_sized_for_now_waits_and_says_why(by_equity: Order, fence: Fence) -> None:
    put_off_sizing(by_equity.id, "no quote", seconds=1, fence=fence)
    by_equity.refresh_from_db()
    assert (by_equity.ord_status, by_equity.text) == ("INITIALIZED", "Not sized yet: no quote")
    assert by_equity.eligible_at is not None
    assert OrderEvent.objects.get(order=by_equity, kind="NotSizedYet").data == {"why": "no quote"}
    Order.objects.filter(pk=by_equity.pk).update(eligible_at=None)
    by_equity.refresh_from_db()
    assert send(by_equity, fence).text == ""


def test_a_broker_that_does_not_answer_leaves_the_order_as_it_is(by_equity: Order) -> None:
    class Down(Broker):
        def quote(self, symbol: str) -> Quote:
            raise BrokerUnavailable("down")

    with pytest.raises(BrokerUnavailable):
        facts_for(by_equity.id, Down())  # type: ignore[arg-type]
    by_equity.refresh_from_db()
    assert by_equity.needs_sizing


# --- what the database demands ---


def test_nothing_is_sent_unsized(by_equity: Order) -> None:
    for change in ({"sizing": None}, {"ord_status": "SUBMITTED"}):
        with pytest.raises(IntegrityError, match="order_qty_positive"), transaction.atomic():
            Order.objects.filter(pk=by_equity.pk).update(**change)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"sizing_method": "CASH"}, "strategy_sizing_value_fits"),
        ({"sizing_value": 5}, "strategy_sizing_value_fits"),
        ({"sizing_method": "RISK_PERCENT", "sizing_value": 101}, "strategy_sizing_value_fits"),
        ({"exit_percent": 101}, "strategy_exit_percent_fits"),
        ({"max_quantity": 0}, "strategy_max_quantity_positive"),
        ({"min_notional": 5, "max_notional": 4}, "strategy_limits_in_order"),
    ],
)
def test_a_rule_that_makes_no_sense_is_not_kept(columns: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        make_desk(**columns)


# --- exits ---


@pytest.mark.parametrize(
    ("action", "quantity", "closed"),
    [
        ("long_exit", None, "5"),  # a half, rounded down to whole shares
        ("long_exit", "8", "8"),
        ("close_long", None, "11"),
        ("long_exit", "50", "11"),
    ],
)
def test_an_exit_closes_its_part_of_the_position(
    desk: Desk, action: str, quantity: str | None, closed: str
) -> None:
    hold(desk, "11")
    desk.strategy.exit_percent = D(50)
    desk.strategy.save()
    keep("paper", listing("AAPL", **WHOLE))
    assert record_one(desk, action=action, quantity=quantity).order_qty == D(closed)


def test_a_part_of_less_than_a_share_is_one_share(desk: Desk) -> None:
    hold(desk, "1")
    desk.strategy.exit_percent = D(10)
    desk.strategy.save()
    keep("paper", listing("AAPL", **WHOLE))
    assert record_one(desk, action="long_exit", quantity=None).order_qty == 1


def test_a_part_of_nothing_is_nothing_to_do(desk: Desk) -> None:
    desk.strategy.exit_percent = D(50)
    desk.strategy.save()
    assert record(desk, action="long_exit", quantity=None) == []


def test_a_rule_for_entries_never_stands_in_an_exits_way(desk: Desk, fence: Fence) -> None:
    hold(desk, "11")
    desk.strategy.sizing_method, desk.strategy.sizing_value = "RISK_PERCENT", D(1)
    desk.strategy.max_quantity = D(1)
    desk.strategy.max_notional = D(1)
    desk.strategy.save()
    order = record_one(desk, action="close_long", quantity=None)
    assert (order.order_qty, order.sizing) == (11, None)
    assert send(order, fence).ord_status == "NEW"
