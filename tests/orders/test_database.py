"""What the database itself refuses, whoever asks."""

import pytest
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from orders.models import Order, OrderEvent
from tests.factories.alerts import record_one
from tests.factories.history import past
from tests.factories.traders import make_desk

pytestmark = pytest.mark.django_db


def refused(statement: str) -> str:
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return str(error.value)


def test_the_tests_run_as_the_runtime_role_which_owns_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, count(*) FROM pg_tables WHERE tableowner = current_user GROUP BY 1"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (settings.RUNTIME_ROLE,)


@pytest.mark.parametrize("table", ["orders_orderevent", "orders_execution", "orders_orderrequestkey"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_is_never_changed_by_the_runtime_role(table: str, statement: str) -> None:
    assert "permission denied" in refused(statement.format(table))


@pytest.mark.parametrize(
    "statement", ["DELETE FROM orders_order", "DELETE FROM orders_workerlease", "CREATE TABLE t ()"]
)
def test_the_runtime_role_neither_deletes_orders_nor_makes_tables(statement: str) -> None:
    assert "permission denied" in refused(statement)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders_orderevent SET kind = 'x'",
        "DELETE FROM orders_orderevent",
        "TRUNCATE orders_orderevent CASCADE",
    ],
)
def test_triggers_refuse_the_owner_too(statement: str) -> None:
    record_one(make_desk())
    with pytest.raises(DatabaseError, match="Cannot"), connections["owner"].cursor() as cursor:
        cursor.execute(statement)
    assert OrderEvent.objects.filter(kind="Recorded").count() == 1


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"order_qty": 0}, "order_qty_positive"),
        ({"leaves_qty": -1}, "order_leaves_qty_not_negative"),
        ({"ord_status": "BOGUS"}, "order_ord_status_known"),
        ({"next_check_at": None}, "order_unfinished_is_followed"),
        ({"cl_ord_id": "has space"}, "order_cl_ord_id_form"),
        ({"price": 5}, "order_price_fits_ord_type"),
        ({"ord_type": "LIMIT"}, "order_price_fits_ord_type"),
        ({"ord_type": "STOP"}, "order_stop_px_fits_ord_type"),
    ],
)
def test_an_impossible_order_is_refused(change: dict[str, object], constraint: str) -> None:
    order = record_one(make_desk())
    with pytest.raises(IntegrityError, match=constraint), past():
        Order.objects.filter(pk=order.pk).update(**change)
