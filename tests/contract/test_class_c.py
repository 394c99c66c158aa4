"""The paper exchange's accounts that take a client order id again and again, as the desk's adapter sees them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.base import BrokerAdapter
from brokers.types import IdempotencyClass, NewOrder, OrdType, Side, TimeInForce
from tests.contract.rigs import PaperRig
from tests.fixtures.venue_process import VenueProcess


@pytest.fixture
def rig(venue: VenueProcess) -> PaperRig:
    return PaperRig(venue, "CTZZ", broker="paper_c")


@pytest.fixture
def adapter(rig: PaperRig) -> Iterator[BrokerAdapter]:
    adapter = rig.open_adapter()
    yield adapter
    adapter.close()


def test_a_second_sending_is_a_second_order_and_a_listing_shows_both(
    rig: PaperRig, adapter: BrokerAdapter, new_id: Callable[[], str]
) -> None:
    """Why the desk looks an order up by listing there: asked by id, the broker answers with one of them."""
    assert adapter.capabilities.idempotency_class is IdempotencyClass.C
    cl_ord_id, since = new_id(), datetime.now(UTC) - timedelta(seconds=5)
    order = NewOrder(
        cl_ord_id, rig.symbol, Side.BUY, OrdType.LIMIT, TimeInForce.GTC, Decimal(1), price=Decimal(50)
    )
    first, second = (adapter.submit_order(order, before_send=lambda: None).broker_order_id for _ in range(2))
    assert first != second
    assert rig.orders_accepted(cl_ord_id) == 2
    found = adapter.get_order(cl_ord_id)
    assert found is not None
    assert found.broker_order_id == second
    listed = adapter.list_orders(since=since, cl_ord_ids=[cl_ord_id])
    assert [report.broker_order_id for report in listed] == [first, second]
    for broker_order_id in (first, second):
        named = adapter.get_order_by_broker_id(broker_order_id)
        assert named is not None
        assert (named.broker_order_id, named.cl_ord_id) == (broker_order_id, cl_ord_id)
