"""Sweep and drain cost the same with a million finished orders in the table as with none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from brokers.ids import cl_ord_id_of, new_id
from brokers.types import Side
from orders import selectors
from orders.models import Order, OrderRequest, Source
from orders.services.changes import Origin, change_order, lock_order
from orders.services.sweeping import stale_entries
from orders.state import Acknowledged, Submitted
from tests.factories.alerts import record_one
from tests.factories.crowd import finish_orders, superuser
from tests.factories.plans import MODES, Cost, cost_of
from tests.factories.traders import Desk, make_desk

MILLION = 1_000_000
FEW_BUFFERS = 12
"""Roots of indexes that a small table is read without, and nothing that grows."""

UNFINISHED = {
    "order_due",
    "order_unfinished",
    "orderrequest_unanswered",
    "orderrequest_one_open",
    "errand_due",
    "errand_of_user",
    "errand_once",
    "all of orders_errand",
    # Reached by key from a row that the partial indexes have found.
    "orders_order_pkey",
    "orders_strategy_pkey",
    "all of orders_strategy",
    "brokers_brokeraccount_pkey",
    "orders_workerlease_pkey",
    "all of orders_workerlease",
}

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@dataclass(frozen=True)
class Floor:
    busy: Desk  # whose finished orders are half of all; has a working order and nothing to send
    fresh: Desk  # has an order and a cancel to send


@pytest.fixture
def floor(settings: Any) -> Floor:
    # Or what grows too old while the million is made is more to read afterwards than before.
    settings.ENTRY_MAX_AGE_SECONDS = 3600.0
    with superuser() as connection:  # what earlier tests have deleted still takes up pages
        connection.execute("TRUNCATE auth_user CASCADE")
    desks = [make_desk() for _ in range(20)]
    for desk in desks[1:]:
        record_one(desk)
        ask_cancel(working(desk))
    working(desks[0])
    return Floor(busy=desks[0], fresh=desks[1])


@pytest.fixture
def on() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with superuser() as connection:
        yield connection
        connection.execute("TRUNCATE orders_order CASCADE")  # to delete a million rows takes seconds


def working(desk: Desk) -> Order:
    order = record_one(desk)
    with transaction.atomic():
        for event in (Submitted(1), Acknowledged()):
            change_order(lock_order(order.pk), event, at=timezone.now(), origin=Origin("test"))
    Order.objects.filter(pk=order.pk).update(next_check_at=timezone.now())
    return order


def ask_cancel(order: Order) -> None:
    key, now = new_id(), timezone.now()
    OrderRequest.objects.create(
        id=key,
        cl_ord_id=cl_ord_id_of(key),
        order=order,
        user_id=order.user_id,
        kind=OrderRequest.Kind.CANCEL,
        source=Source.API,
        received_at=now,
        recorded_at=now,
    )


def reads_of(floor: Floor) -> dict[str, Callable[[], object]]:
    """Name what is read again and again: by the sweeps, by a worker's drain, before an exit."""
    reads: dict[str, Callable[[], object]] = {
        "users_with_due_orders": selectors.users_with_due_orders,
        "users_without_worker": selectors.users_without_worker,
        "users_with_patient_errands": lambda: selectors.users_with_patient_errands(8),
        "stale_entries": stale_entries,
        "closing_quantity": lambda: selectors.closing_quantity(floor.busy.account, "AAPL", Side.SELL),
    }
    for name, desk in (("busy", floor.busy), ("fresh", floor.fresh)):
        user = desk.user.id
        reads |= {
            f"work_at_hand {name}": lambda user=user: selectors.work_at_hand(user),
            f"unsent_orders {name}": lambda user=user: selectors.unsent_orders(user),
            f"unsent_requests {name}": lambda user=user: selectors.unsent_requests(user),
            f"has_undelivered_orders {name}": lambda user=user: selectors.has_undelivered_orders(user),
            f"has_open_orders {name}": lambda user=user: selectors.has_open_orders(user),
            f"users_with_open_orders {name}": lambda user=user: selectors.users_with_open_orders([user]),
            f"errands_due {name}": lambda user=user: selectors.errands_due(user),
            f"orders_due {name}": lambda user=user: selectors.orders_due(user),
            f"next_due_at {name}": lambda user=user: selectors.next_due_at(user),
        }
    return reads


def costs(floor: Floor, on: psycopg.Connection[tuple[object, ...]]) -> dict[tuple[str, str], Cost]:
    return {(name, mode): cost_of(read, on, mode) for name, read in reads_of(floor).items() for mode in MODES}


def test_a_million_finished_orders_cost_nothing(
    floor: Floor, on: psycopg.Connection[tuple[object, ...]]
) -> None:
    before = costs(floor, on)
    finish_orders(floor.busy, MILLION)
    after = costs(floor, on)
    grown = {
        read: (before[read].buffers, cost)
        for read, cost in after.items()
        if cost.buffers > before[read].buffers + FEW_BUFFERS or not cost.reads <= UNFINISHED
    }
    assert grown == {}
    assert all(cost.reads for cost in after.values()), "a query was not measured"


def test_the_measure_sees_a_read_that_grows(floor: Floor, on: psycopg.Connection[tuple[object, ...]]) -> None:
    """Without a status in an index's condition a plan for any status reads what has ended too."""
    finish_orders(floor.busy, 20_000)

    def careless() -> bool:
        return Order.objects.filter(user=floor.busy.user.id, ord_status="INITIALIZED").exists()

    assert cost_of(careless, on, "force_generic_plan").buffers > FEW_BUFFERS * 10
