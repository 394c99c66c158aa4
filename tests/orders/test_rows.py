"""Rows read and written by written-out statements are the ORM's rows."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from brokers.models import BrokerAccount
from orders.models import Order, OrderEvent, Plan, Position, Strategy, Trader
from orders.rows import columns_of, fetch_joined, fetch_rows, insert_rows, update_row
from orders.selectors import accounts_of_strategy, orders_as_they_stand, strategy_by_token
from orders.services.changes import Origin, new_event
from tests.factories.alerts import record_one
from tests.factories.traders import Desk, make_account

pytestmark = pytest.mark.django_db

ORDERS = f"SELECT {columns_of(Order)} FROM orders_order WHERE id = %s"


def values_of(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_row_is_read_as_the_orm_reads_it(desk: Desk) -> None:
    order = record_one(desk, stop_loss="90")  # with JSON, decimals, times and what is null
    (read,) = fetch_rows(Order, ORDERS, [order.pk])
    assert values_of(read) == values_of(Order.objects.get(pk=order.pk))
    assert isinstance(read.protection, dict)
    read.text = "changed"
    read.save(update_fields=["text"])
    assert Order.objects.get(pk=order.pk).text == "changed"


def test_columns_may_be_left_out_and_others_added(desk: Desk) -> None:
    order = record_one(desk)
    sql = "SELECT symbol, 7 AS seven, id FROM orders_order WHERE id = %s"
    (read,) = fetch_rows(Order, sql, [order.pk])
    assert (read.pk, read.symbol, read.seven) == (order.pk, "AAPL", 7)  # type: ignore[attr-defined]
    with CaptureQueriesContext(connection) as asked:
        assert read.side == order.side
    assert len(asked) == 1, "what was left out is read when it is asked for"


def test_joined_rows_come_apart_and_one_that_is_not_there_is_none(desk: Desk) -> None:
    sql = (
        f"SELECT {columns_of(Strategy, 'one')}, {columns_of(Position, 'held')} FROM orders_strategy AS one"
        " LEFT JOIN orders_position AS held ON held.user_id = one.user_id WHERE one.id = %s"
    )
    ((strategy, position),) = fetch_joined((Strategy, Position), sql, [desk.strategy.pk])
    assert values_of(strategy) == values_of(Strategy.objects.get(pk=desk.strategy.pk))
    assert position is None


def test_inserted_rows_are_what_save_would_have_made(desk: Desk) -> None:
    order, at = record_one(desk), timezone.now()
    events = [new_event(order, kind=kind, at=at, origin=Origin("test"), data={"a": 1}) for kind in "AB"]
    insert_rows(events)
    read = list(OrderEvent.objects.filter(order=order, kind__in="AB").order_by("id"))
    assert [(event.kind, event.at, event.data, event.stages) for event in read] == [
        ("A", at, {"a": 1}, {}),
        ("B", at, {"a": 1}, {}),
    ]
    assert all(isinstance(event.recorded_at, dt.datetime) for event in read)
    insert_rows([])


def test_an_inserted_row_can_be_changed_and_only_what_is_named_is_written(desk: Desk) -> None:
    position = Position(user=desk.user, account=desk.account, symbol="AAPL")
    insert_rows([position])
    read = Position.objects.get(symbol="AAPL")
    before = read.updated_at
    read.qty, read.cost, read.fees = Decimal(2), Decimal(7), Decimal(1)
    update_row(read, ["qty", "cost", "updated_at"])
    after = Position.objects.get(symbol="AAPL")
    assert (after.qty, after.cost, after.fees) == (2, 7, 0)
    assert after.updated_at > before


def test_a_reference_is_named_by_its_id_as_well(desk: Desk) -> None:
    order, exit_order = record_one(desk), record_one(desk)
    order.exit_order_id = exit_order.pk
    update_row(order, {"exit_order_id"})
    assert Order.objects.get(pk=order.pk).exit_order == exit_order


def test_an_update_of_a_field_that_there_is_not_is_refused(desk: Desk) -> None:
    with pytest.raises(KeyError):
        update_row(desk.strategy, ["nonsense"])


# --- the reads of the way in ---


def test_a_strategy_comes_with_its_trader_and_plan(desk: Desk, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        strategy = strategy_by_token(desk.strategy.token)
        assert strategy is not None
        trader = strategy.user.trader
        limit = trader.effective_daily_order_limit
    assert limit == desk.trader.plan.daily_order_limit
    assert values_of(strategy) == values_of(Strategy.objects.get(pk=desk.strategy.pk))
    assert model_to_dict(trader) == model_to_dict(Trader.objects.get(pk=desk.user.pk))
    assert model_to_dict(trader.plan) == model_to_dict(Plan.objects.get(pk=trader.plan_id))
    assert strategy_by_token("nobody's") is None


def test_a_user_who_is_no_trader_has_none(desk: Desk) -> None:
    desk.trader.delete()
    strategy = strategy_by_token(desk.strategy.token)
    assert strategy is not None
    assert getattr(strategy.user, "trader", None) is None


def test_the_accounts_of_a_strategy_are_its_own_oldest_first(desk: Desk) -> None:
    make_account(desk.user)
    second = make_account(desk.user)
    desk.strategy.accounts.add(second)
    accounts = accounts_of_strategy(desk.strategy)
    assert accounts == [desk.account, second]
    assert values_of(accounts[0]) == values_of(BrokerAccount.objects.get(pk=desk.account.pk))


def test_orders_as_they_stand(desk: Desk) -> None:
    first, second = record_one(desk), record_one(desk)
    record_one(desk)
    Order.objects.filter(pk=first.pk).update(text="news")
    read = orders_as_they_stand([second, first])
    assert [(order.pk, order.text) for order in read] == [(first.pk, "news"), (second.pk, "")]


def test_an_update_that_finds_no_row_is_an_error(desk: Desk) -> None:
    position = Position(user=desk.user, account=desk.account, symbol="AAPL")
    with pytest.raises(DatabaseError, match="was not there"):
        update_row(position, ["qty"])
