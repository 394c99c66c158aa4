"""Protective exits at every broker that has them: a stop and a target in one order, and a trailing stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from brokers.base import BrokerAdapter
from brokers.errors import OrderRejected
from brokers.types import (
    CancelOrder,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from tests.contract.conftest import Listener
from tests.contract.rigs import Rig
from tests.contract.test_orders import market, send

NewId = Callable[[], str]


@pytest.fixture
def listener(adapter: BrokerAdapter) -> Iterator[Listener]:
    heard = Listener()
    heard.stream = adapter.stream(on_report=heard.told.put, on_gap=lambda: heard.told.put(None))
    assert heard.stream.wait_live(10)
    yield heard
    heard.stream.close()


@pytest.fixture
def held(rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId) -> BrokerAdapter:
    """Hold ten, bought at 100."""
    if not adapter.capabilities.oco:
        pytest.fail("this broker has no OCO: name it in a list of those without")
    send(adapter, market(rig, new_id()))
    listener.trades(1)
    return adapter


def exits(rig: Rig, cl_ord_id: str, **changes: Any) -> NewOrder:
    """Sell ten at 104, or once the price falls to 98."""
    values: dict[str, Any] = {
        "side": Side.SELL,
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "price": Decimal(104),
        "oco_stop_px": Decimal(98),
        "reduce_only": True,
    }
    return market(rig, cl_ord_id, **(values | changes))


def status_of(adapter: BrokerAdapter, report: ExecutionReport) -> OrdStatus:
    found = adapter.get_order_by_broker_id(report.broker_order_id)
    assert found is not None
    return found.ord_status


def until(listener: Listener, *wanted: tuple[str, ExecType]) -> list[ExecutionReport]:
    """Wait until all of these were told, whatever else was; return them as wanted."""
    seen: dict[tuple[str, ExecType], ExecutionReport] = {}
    while not all(each in seen for each in wanted):
        report = listener.next()
        if report is not None:
            seen[report.broker_order_id, report.exec_type] = report
    return [seen[each] for each in wanted]


def test_the_answer_names_the_stop(rig: Rig, held: BrokerAdapter, new_id: NewId) -> None:
    name = new_id()
    target = send(held, exits(rig, name))
    (stop,) = target.legs
    assert (target.cl_ord_id, target.price, target.ord_status in (OrdStatus.NEW, OrdStatus.PENDING_NEW)) == (
        name,
        104,
        True,
    )
    assert (stop.stop_px, stop.order_qty, stop.side, stop.ord_status) == (
        98,
        10,
        Side.SELL,
        OrdStatus.PENDING_NEW,
    )
    assert stop.broker_order_id != target.broker_order_id
    assert stop.cl_ord_id not in ("", name)


def test_a_look_up_names_the_stop_too(rig: Rig, held: BrokerAdapter, new_id: NewId) -> None:
    name = new_id()
    target = send(held, exits(rig, name))
    for found in (held.get_order(name), held.get_order_by_broker_id(target.broker_order_id)):
        assert found is not None
        assert [leg.broker_order_id for leg in found.legs] == [target.legs[0].broker_order_id]


def test_sent_again_it_is_the_same_pair(rig: Rig, held: BrokerAdapter, new_id: NewId) -> None:
    name = new_id()
    first = send(held, exits(rig, name))
    again = send(held, exits(rig, name))
    assert again.broker_order_id == first.broker_order_id
    assert [leg.broker_order_id for leg in again.legs] == [first.legs[0].broker_order_id]
    assert rig.orders_accepted(name) == 1


def test_the_stop_ends_the_target(rig: Rig, held: BrokerAdapter, listener: Listener, new_id: NewId) -> None:
    target = send(held, exits(rig, new_id()))
    (stop,) = target.legs
    rig.set_price("97")
    fill, _ = until(
        listener, (stop.broker_order_id, ExecType.TRADE), (target.broker_order_id, ExecType.CANCELED)
    )
    assert (fill.cl_ord_id, fill.last_qty) == (stop.cl_ord_id, 10)
    assert status_of(held, target) is OrdStatus.CANCELED


def test_the_target_ends_the_stop(rig: Rig, held: BrokerAdapter, listener: Listener, new_id: NewId) -> None:
    target = send(held, exits(rig, new_id()))
    (stop,) = target.legs
    rig.set_price("105")
    until(listener, (target.broker_order_id, ExecType.TRADE), (stop.broker_order_id, ExecType.CANCELED))
    assert status_of(held, stop) is OrdStatus.CANCELED


@pytest.mark.parametrize("which", ["target", "stop"])
def test_one_cancel_ends_both(
    rig: Rig, held: BrokerAdapter, listener: Listener, new_id: NewId, which: str
) -> None:
    target = send(held, exits(rig, new_id()))
    (stop,) = target.legs
    named = target if which == "target" else stop
    held.cancel_order(CancelOrder(new_id(), named.cl_ord_id, named.broker_order_id), before_send=lambda: None)
    until(listener, (target.broker_order_id, ExecType.CANCELED), (stop.broker_order_id, ExecType.CANCELED))


def test_both_are_listed_each_by_its_own_id(rig: Rig, held: BrokerAdapter, new_id: NewId) -> None:
    target = send(held, exits(rig, new_id()))
    names = [target.cl_ord_id, target.legs[0].cl_ord_id]
    listed = held.list_orders(since=target.transact_time.replace(microsecond=0), cl_ord_ids=names)
    assert {report.cl_ord_id for report in listed} == set(names)


def test_shares_that_an_exit_holds_cannot_be_sold_twice(rig: Rig, held: BrokerAdapter, new_id: NewId) -> None:
    assert held.capabilities.exits_hold_shares
    send(held, exits(rig, new_id()))
    with pytest.raises(OrderRejected):
        send(
            held,
            exits(rig, new_id(), ord_type=OrdType.STOP, price=None, oco_stop_px=None, stop_px=Decimal(98)),
        )


@pytest.mark.parametrize("distance", [{"trail_offset": Decimal(2)}, {"trail_percent": Decimal(2)}])
def test_a_trailing_stop(
    rig: Rig, held: BrokerAdapter, listener: Listener, new_id: NewId, distance: dict[str, Decimal]
) -> None:
    terms = {"ord_type": OrdType.TRAILING_STOP, "price": None, "oco_stop_px": None}
    report = send(held, exits(rig, new_id(), **terms, **distance))
    until(listener, (report.broker_order_id, ExecType.NEW))
    rig.set_price("110")
    rig.set_price("107")
    (fill,) = until(listener, (report.broker_order_id, ExecType.TRADE))
    assert fill.last_px is not None
    assert fill.last_px > 105
