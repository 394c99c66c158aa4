"""What every adapter must do with commands, whatever becomes of them on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.base import BrokerAdapter
from brokers.errors import (
    BrokerUnavailable,
    CredentialsRefused,
    MarketClosed,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)
from brokers.types import (
    CancelOrder,
    ExecType,
    ExecutionReport,
    IdempotencyClass,
    NewOrder,
    OrdStatus,
    OrdType,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from tests.contract.rigs import READ_TIMEOUT_SECONDS, Rig

NewId = Callable[[], str]
OPEN = {OrdStatus.PENDING_NEW, OrdStatus.NEW}


def market(rig: Rig, cl_ord_id: str, **changes: Any) -> NewOrder:
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "symbol": rig.symbol,
        "side": Side.BUY,
        "ord_type": OrdType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "order_qty": Decimal(10),
        **changes,
    }
    return NewOrder(**values)


def resting(rig: Rig, cl_ord_id: str, **changes: Any) -> NewOrder:
    """A limit far below the market."""
    limit = {"ord_type": OrdType.LIMIT, "price": Decimal(50), "time_in_force": TimeInForce.GTC}
    return market(rig, cl_ord_id, **{**limit, **changes})


def send(adapter: BrokerAdapter, order: NewOrder) -> ExecutionReport:
    return adapter.submit_order(order, before_send=lambda: None)


def until(adapter: BrokerAdapter, cl_ord_id: str, *statuses: OrdStatus) -> ExecutionReport:
    deadline = time.monotonic() + 10
    report = adapter.get_order(cl_ord_id)
    while report is None or report.ord_status not in statuses:
        assert time.monotonic() < deadline, report
        time.sleep(0.01)
        report = adapter.get_order(cl_ord_id)
    return report


def test_connects_with_the_right_secret_only(rig: Rig, adapter: BrokerAdapter) -> None:
    adapter.connect()
    wrong = rig.open_adapter(wrong_secret=True)
    with pytest.raises(CredentialsRefused):
        wrong.connect()
    with pytest.raises(CredentialsRefused):
        send(wrong, market(rig, "never"))
    wrong.close()


def test_an_accepted_market_order_is_filled(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    cl_ord_id = new_id()
    report = send(adapter, market(rig, cl_ord_id))
    assert report.exec_type is not ExecType.TRADE
    assert report.cl_ord_id == cl_ord_id
    assert report.order_qty == Decimal(10)
    assert report.transact_time.utcoffset() == timedelta(0)
    filled = until(adapter, cl_ord_id, OrdStatus.FILLED)
    assert filled.broker_order_id == report.broker_order_id
    assert filled.exec_type is ExecType.ORDER_STATUS
    assert (filled.cum_qty, filled.avg_px) == (Decimal(10), Decimal(100))
    assert rig.orders_accepted(cl_ord_id) == 1


def test_a_fraction_is_bought_exactly(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    if not adapter.capabilities.fractional:
        pytest.skip("whole shares only")
    cl_ord_id = new_id()
    send(adapter, market(rig, cl_ord_id, order_qty=Decimal("0.123456789")))
    assert until(adapter, cl_ord_id, OrdStatus.FILLED).cum_qty == Decimal("0.123456789")


def test_limit_and_stop_orders_rest_with_their_prices(
    rig: Rig, adapter: BrokerAdapter, new_id: NewId
) -> None:
    limit, stop = new_id(), new_id()
    send(adapter, resting(rig, limit, price=Decimal("50.25")))
    send(adapter, market(rig, stop, ord_type=OrdType.STOP, stop_px=Decimal("150.5")))
    assert until(adapter, limit, OrdStatus.NEW).price == Decimal("50.25")
    assert until(adapter, stop, OrdStatus.NEW).stop_px == Decimal("150.5")


def test_a_stop_limit_order_rests_with_both_prices(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    if OrdType.STOP_LIMIT not in adapter.capabilities.ord_types:
        pytest.skip("no stop-limit orders here")
    cl_ord_id, prices = new_id(), {"stop_px": Decimal(150), "price": Decimal(151)}
    send(adapter, market(rig, cl_ord_id, ord_type=OrdType.STOP_LIMIT, **prices))
    report = until(adapter, cl_ord_id, OrdStatus.NEW)
    assert (report.stop_px, report.price) == (Decimal(150), Decimal(151))


def test_a_refusal_is_proven(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    cl_ord_id = new_id()
    with pytest.raises(OrderRejected) as caught:
        send(adapter, market(rig, cl_ord_id, order_qty=Decimal(1_000_000)))
    assert caught.value.reason
    assert caught.value.code
    assert adapter.get_order(cl_ord_id) is None
    assert rig.orders_accepted(cl_ord_id) == 0


def test_a_closed_market_is_not_a_rejection(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    rig.refuse("market is closed")
    with pytest.raises(MarketClosed) as caught:
        send(adapter, market(rig, new_id()))
    assert caught.value.next_open is None or caught.value.next_open > datetime.now(UTC)


def test_the_same_id_again_makes_no_second_order(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    if adapter.capabilities.idempotency_class is not IdempotencyClass.A:
        pytest.skip("client order ids are not unique here")
    cl_ord_id = new_id()
    first = send(adapter, market(rig, cl_ord_id))
    until(adapter, cl_ord_id, OrdStatus.FILLED)
    again = send(adapter, market(rig, cl_ord_id))
    assert again.broker_order_id == first.broker_order_id
    assert again.exec_type is ExecType.ORDER_STATUS
    assert again.ord_status is OrdStatus.FILLED
    assert rig.orders_accepted(cl_ord_id) == 1


@pytest.mark.parametrize("fault", ["answer_late", "lose_answer", "fail"])
def test_accepted_but_the_answer_is_lost(rig: Rig, adapter: BrokerAdapter, new_id: NewId, fault: str) -> None:
    cl_ord_id = new_id()
    if fault == "fail":
        rig.fail(accepted=True)
    else:
        getattr(rig, fault)()
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        send(adapter, market(rig, cl_ord_id))
    assert time.monotonic() - began < READ_TIMEOUT_SECONDS + 0.5
    found = until(adapter, cl_ord_id, OrdStatus.FILLED)
    assert found.cum_qty == Decimal(10)
    assert rig.orders_accepted(cl_ord_id) == 1


@pytest.mark.parametrize("fault", ["drop_request", "fail"])
def test_not_accepted_but_nobody_can_know(
    rig: Rig, adapter: BrokerAdapter, new_id: NewId, fault: str
) -> None:
    cl_ord_id = new_id()
    if fault == "fail":
        rig.fail(accepted=False)
    else:
        getattr(rig, fault)()
    with pytest.raises(OutcomeUnknown):
        send(adapter, market(rig, cl_ord_id))
    assert adapter.get_order(cl_ord_id) is None
    assert rig.orders_accepted(cl_ord_id) == 0
    send(adapter, market(rig, cl_ord_id))
    assert rig.orders_accepted(cl_ord_id) == 1


def test_slower_please(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    cl_ord_id = new_id()
    rig.slow_down(7)
    with pytest.raises(RateLimited) as caught:
        send(adapter, market(rig, cl_ord_id))
    assert caught.value.retry_after_seconds == 7
    assert rig.orders_accepted(cl_ord_id) == 0


def test_the_guard_forbids(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    class TooLateError(Exception):
        pass

    def forbid() -> None:
        raise TooLateError

    cl_ord_id = new_id()
    with pytest.raises(TooLateError):
        adapter.submit_order(market(rig, cl_ord_id), before_send=forbid)
    assert adapter.get_order(cl_ord_id) is None
    assert rig.orders_accepted(cl_ord_id) == 0


def test_a_cancel_is_confirmed_later(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    cl_ord_id = new_id()
    order = send(adapter, resting(rig, cl_ord_id))
    until(adapter, cl_ord_id, OrdStatus.NEW)
    request = CancelOrder(new_id(), cl_ord_id, order.broker_order_id)
    adapter.cancel_order(request, before_send=lambda: None)
    assert until(adapter, cl_ord_id, OrdStatus.CANCELED).cum_qty == Decimal(0)
    with pytest.raises(OrderRejected):
        adapter.cancel_order(request, before_send=lambda: None)


def test_a_cancel_of_no_order_is_refused(rig: Rig, adapter: BrokerAdapter) -> None:
    request = CancelOrder("c", "o", "00000000-0000-4000-8000-000000000000")
    with pytest.raises(OrderRejected):
        adapter.cancel_order(request, before_send=lambda: None)


def test_a_replacement(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    if not adapter.capabilities.replaces:
        pytest.skip("no replacing here")
    first, second = new_id(), new_id()
    order = send(adapter, resting(rig, first))
    until(adapter, first, OrdStatus.NEW)
    report = adapter.replace_order(
        ReplaceOrder(second, first, order.broker_order_id, order_qty=Decimal(7), price=Decimal(51)),
        before_send=lambda: None,
    )
    assert (report.cl_ord_id, report.orig_cl_ord_id) == (second, first)
    assert report.replaces == order.broker_order_id
    assert (report.order_qty, report.price) == (Decimal(7), Decimal(51))
    old = until(adapter, first, OrdStatus.REPLACED)
    assert old.replaced_by == report.broker_order_id
    assert until(adapter, second, OrdStatus.NEW).order_qty == Decimal(7)


def test_lists_orders_oldest_first(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    ids = [new_id() for _ in range(5)]
    for cl_ord_id in ids:
        send(adapter, resting(rig, cl_ord_id, order_qty=Decimal(1)))
    reports = adapter.list_orders(since=since)
    assert [report.cl_ord_id for report in reports] == ids
    some = adapter.list_orders(since=since, cl_ord_ids=[ids[3], "never-sent", ids[1]])
    assert [report.cl_ord_id for report in some] == [ids[1], ids[3]]
    assert adapter.list_orders(since=datetime.now(UTC) + timedelta(seconds=5)) == []


def test_an_order_that_never_was(adapter: BrokerAdapter) -> None:
    assert adapter.get_order("never-sent") is None
    assert adapter.get_order_by_broker_id("00000000-0000-4000-8000-000000000000") is None
    assert adapter.get_order_by_broker_id("../account") is None


def test_an_order_is_found_by_the_brokers_own_id(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    sent = send(adapter, resting(rig, new_id()))
    found = adapter.get_order_by_broker_id(sent.broker_order_id)
    assert found is not None
    assert (found.cl_ord_id, found.broker_order_id) == (sent.cl_ord_id, sent.broker_order_id)
    assert (found.symbol, found.side, found.order_qty) == (rig.symbol, Side.BUY, sent.order_qty)


def test_nobody_there_and_back_again(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    """A connection that was open before the outage must not turn into an unknown outcome."""
    cl_ord_id = new_id()
    adapter.connect()
    with rig.unreachable():
        with pytest.raises(BrokerUnavailable):
            send(adapter, market(rig, cl_ord_id))
        with pytest.raises(BrokerUnavailable):
            adapter.get_order(cl_ord_id)
    assert adapter.get_order(cl_ord_id) is None
    send(adapter, market(rig, cl_ord_id))
    assert rig.orders_accepted(cl_ord_id) == 1
