"""The statements that lock an order's row."""

import uuid

import psycopg
import pytest

from orders.models import Order
from orders.services.changes import LOCK_ORDER, lock_order
from orders.services.links import LOCK_BY_CL_ORD_ID


@pytest.mark.parametrize("statement", [LOCK_ORDER, LOCK_BY_CL_ORD_ID])
def test_a_column_that_is_added_while_the_desk_runs_changes_nothing(
    statement: str, postgres_cluster: str
) -> None:
    values = [uuid.uuid4()] if statement == LOCK_ORDER else [uuid.uuid4(), "x"]
    columns = ", ".join(f"{field.column} {kind_of(field.column)}" for field in Order._meta.concrete_fields)
    with (
        psycopg.connect(postgres_cluster, autocommit=True, prepare_threshold=2) as worker,
        psycopg.connect(postgres_cluster, autocommit=True) as owner,
    ):
        owner.execute(f"CREATE TABLE orders_order ({columns})".encode())
        try:
            for _ in range(4):
                worker.execute(statement.encode(), values)
            owner.execute("ALTER TABLE orders_order ADD COLUMN added_by_a_migration int")
            assert worker.execute(statement.encode(), values).fetchall() == []
        finally:
            owner.execute("DROP TABLE orders_order")


def kind_of(column: str) -> str:
    return "uuid" if column in ("id", "account_id") else "text"


@pytest.mark.django_db
def test_an_order_that_is_not_there() -> None:
    with pytest.raises(Order.DoesNotExist):
        lock_order(uuid.uuid4())
