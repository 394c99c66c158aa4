"""An order's row moves as the state machine moves: what the machine cannot do, the database refuses."""

import re
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.types import OrdStatus
from orders.models import Order
from orders.services.changes import Origin, change_order, lock_order, write_event
from orders.state import Acknowledged, Event, IllegalTransition, OrderState, Submitted, apply
from orders.state.moves import ALLOWED_FROM, is_move
from orders.state.reachable import status_moves
from tests.factories.alerts import record_one
from tests.factories.events import FACTS, OWN
from tests.factories.history import past
from tests.factories.traders import make_desk

MIGRATION = Path(__file__).parents[2] / "orders/migrations/0004_transitions.py"
MOVES = {move for move in product(OrdStatus, repeat=2) if is_move(*move)}
REFUSED = {move for move in product(OrdStatus, repeat=2) if move[0] is not move[1]} - MOVES


def become(order: Order, status: OrdStatus) -> None:
    """Move the row by hand, with an event that says so."""
    order.ord_status = status
    write_event(order, kind="Test", at=timezone.now(), origin=Origin("test"))
    Order.objects.filter(pk=order.pk).update(ord_status=status)


def test_the_table_has_exactly_what_the_machine_can_do() -> None:
    assert status_moves() == MOVES


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(OWN, FACTS), max_size=25))
def test_no_run_makes_a_move_that_the_table_has_not(events: list[Event]) -> None:
    state = OrderState(Decimal(100))
    for event in events:
        try:
            after = apply(state, event)
        except IllegalTransition:
            continue
        assert after.ord_status is state.ord_status or is_move(state.ord_status, after.ord_status)
        state = after


def test_the_migration_has_the_table_too() -> None:
    """What was migrated is compared as text: a table that has moved on since needs a migration of its own."""
    function = next(line for line in MIGRATION.read_text().splitlines() if "IF NOT (CASE" in line)
    cases = re.findall(r"WHEN '(\w+)' THEN OLD\.ord_status IN \(([^)]*)\)", function)
    migrated = {
        OrdStatus(to): {OrdStatus(name) for name in re.findall(r"\w+", listed)} for to, listed in cases
    }
    assert migrated == ALLOWED_FROM


@pytest.mark.django_db
def test_every_move_of_the_machine_passes_and_every_other_is_refused() -> None:
    order = record_one(make_desk())
    refused = set()
    for before, after in [*MOVES, *REFUSED]:
        with past():
            Order.objects.filter(pk=order.pk).update(ord_status=before)
        try:
            with transaction.atomic():
                become(order, after)
        except IntegrityError as error:
            assert f"an order never goes from {before} to {after}" in str(error)
            refused.add((before, after))
    assert refused == REFUSED
    assert len(REFUSED) > 80


@pytest.mark.django_db
def test_an_illegal_update_by_sql_is_refused() -> None:
    order = record_one(make_desk())
    change_order(order, Submitted(1), at=timezone.now(), origin=Origin("test"))
    change_order(order, Acknowledged(), at=timezone.now(), origin=Origin("test"))
    with (
        pytest.raises(IntegrityError, match="an order never goes from NEW to INITIALIZED"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE orders_order SET ord_status = 'INITIALIZED' WHERE id = %s", [order.id])
    assert Order.objects.get(pk=order.pk).ord_status == OrdStatus.NEW


@pytest.mark.django_db
def test_an_order_begins_initialized() -> None:
    order = record_one(make_desk())
    order.pk, order.cl_ord_id, order.ord_status = None, "another", OrdStatus.SUBMITTED
    with (
        pytest.raises(IntegrityError, match="an order begins INITIALIZED, not SUBMITTED"),
        transaction.atomic(),
    ):
        order.save(force_insert=True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"ord_status": "SUBMITTED"}, {"cum_qty": 1}, {"leaves_qty": 3}, {"order_qty": 7}, {"avg_px": 5}],
)
def test_nothing_changes_without_an_event_in_the_same_transaction(change: dict[str, object]) -> None:
    order = record_one(make_desk())
    with transaction.atomic():
        write_event(order, kind="Test", at=timezone.now(), origin=Origin("test"))  # another savepoint's
    with pytest.raises(IntegrityError, match="without an event that says so"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**change)


@pytest.mark.django_db
def test_an_event_of_another_status_is_no_reason() -> None:
    order = record_one(make_desk())
    with pytest.raises(IntegrityError, match="without an event that says so"), transaction.atomic():
        write_event(order, kind="Test", at=timezone.now(), origin=Origin("test"))
        Order.objects.filter(pk=order.pk).update(ord_status="SUBMITTED")


@pytest.mark.django_db(transaction=True)
def test_an_event_of_an_earlier_transaction_is_no_reason() -> None:
    order = record_one(make_desk())
    with transaction.atomic():
        change_order(lock_order(order.pk), Submitted(1), at=timezone.now(), origin=Origin("test"))
    with pytest.raises(IntegrityError, match="without an event that says so"):
        Order.objects.filter(pk=order.pk).update(cum_qty=3)


@pytest.mark.django_db(transaction=True)
def test_a_change_inside_a_savepoint_passes_and_further_columns_may_follow_outside() -> None:
    order = record_one(make_desk())
    with transaction.atomic():
        with transaction.atomic():
            change_order(lock_order(order.pk), Submitted(1), at=timezone.now(), origin=Origin("test"))
        Order.objects.filter(pk=order.pk).update(checks=2)
    stored = Order.objects.get(pk=order.pk)
    assert (stored.ord_status, stored.checks) == (OrdStatus.SUBMITTED, 2)
