"""Checking everything after a gap stands in nobody's way, in whatever order others lock."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction

from orders.models import Order
from orders.services.verification import check_all_now, check_all_of
from tests.factories.sending import at_broker
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
CHECKS: list[Callable[[Desk], None]] = [
    lambda desk: check_all_now(desk.account.pk),
    lambda desk: check_all_of(desk.user.id),
]


@pytest.mark.parametrize("check", CHECKS, ids=["of an account", "of a trader"])
def test_who_waits_for_one_order_holds_no_other(check: Callable[[Desk], None]) -> None:
    desk = make_desk()
    orders = [at_broker(desk, symbol=symbol) for symbol in ("AAPL", "MSFT", "TSLA")]
    before = dict(Order.objects.values_list("pk", "next_check_at"))

    def run() -> None:
        check(desk)
        connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        Order.objects.select_for_update(no_key=True).get(pk=orders[-1].pk)
        thread.start()
        wait_until_somebody_waits()
        # Whoever locks the other leg of an OCO now is not waited for, and does not wait.
        free = Order.objects.select_for_update(no_key=True, nowait=True).filter(
            pk__in=[orders[0].pk, orders[1].pk]
        )
        assert len(free) == 2
    thread.join(timeout=20)
    assert all(row.next_check_at != before[row.pk] for row in Order.objects.all())


def wait_until_somebody_waits() -> None:
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits for the order")
