# pytest reads this file before Django is set up: what needs models is imported by the fixtures.
"""A trader with a worker, and orders of theirs at the stages from which tests begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orders.models import Order
    from orders.services.leases import Fence
    from tests.factories.traders import Desk


@pytest.fixture
def desk(db: None) -> Desk:
    """A trader with one account and one strategy."""
    from tests.factories.traders import make_desk

    return make_desk()


@pytest.fixture
def fence(desk: Desk) -> Fence:
    """The trader's lease, held by a worker."""
    from tests.factories.leases import lease_of

    return lease_of(desk)


@pytest.fixture
def order(desk: Desk, fence: Fence) -> Order:
    """An order of 10 that rests at the broker."""
    from tests.factories.sending import resting

    return resting(desk, fence)


@pytest.fixture
def unknown(desk: Desk, fence: Fence) -> Order:
    """An entry of 10 whose outcome is unknown."""
    from tests.factories.alerts import record_one
    from tests.factories.sending import UNKNOWN, send_order

    return send_order(record_one(desk, quantity="10"), fence, UNKNOWN)


@pytest.fixture
def unknown_exit(desk: Desk, fence: Fence) -> Order:
    """The exit from a position of 10 whose outcome is unknown."""
    from tests.factories.alerts import record_one
    from tests.factories.reports import make_fill
    from tests.factories.sending import UNKNOWN, accepting, send_order

    entry = record_one(desk, quantity="10")
    send_order(entry, fence, accepting(entry), make_fill(entry, "10"))
    order = send_order(record_one(desk, action="close_long"), fence, UNKNOWN)
    assert (order.ord_status, order.position_effect) == ("SUBMITTED", "CLOSE")
    return order
