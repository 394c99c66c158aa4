"""Each refusal as the paper exchange makes it, over the real SDK: its words arrive, and mean what they should."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from brokers.base import BrokerAdapter
from brokers.errors import MarketClosed, OrderRejected, PositionModeMismatch, RateLimited
from brokers.refusals import RefusalCode
from brokers.types import (
    CancelOrder,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    OrdType,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from tests.contract.conftest import Listener
from tests.contract.rigs import PaperRig
from tests.contract.test_orders import market, resting, send, until
from tests.fixtures.venue_process import VenueProcess

NewId = Callable[[], str]


@pytest.fixture
def rig(rig: PaperRig) -> Iterator[PaperRig]:
    """The account, and a venue that has forgotten what was forbidden in its symbol afterwards."""
    yield rig
    rig.control("halts", symbol=rig.symbol, halted=False)
    rig.control("bands", symbol=rig.symbol)
    rig.control("assets", symbol=rig.symbol, tradable=True, shortable=True, fractionable=True)


def limit(rig: PaperRig, price: str, side: Side = Side.BUY) -> NewOrder:
    return market(rig, "id", side=side, ord_type=OrdType.LIMIT, price=Decimal(price))


def without_shares(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    send(adapter, market(rig, "bought"))
    until(adapter, "bought", OrdStatus.FILLED)
    send(adapter, market(rig, "held", side=Side.SELL, ord_type=OrdType.LIMIT, price=Decimal(200)))
    return market(rig, "id", side=Side.SELL)


def not_shortable(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    rig.control("assets", symbol=rig.symbol, shortable=False)
    return market(rig, "id", side=Side.SELL)


def not_tradable(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    rig.control("assets", symbol=rig.symbol, tradable=False)
    return market(rig, "id")


def halted(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    rig.control("halts", symbol=rig.symbol, halted=True, refuse=True)
    return market(rig, "id")


def outside_bands(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    rig.control("bands", symbol=rig.symbol, low="90", high="110")
    return limit(rig, "110.01")


def not_in_fractions(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    rig.control("assets", symbol=rig.symbol, fractionable=False)
    return market(rig, "id", order_qty=Decimal("0.5"))


def against_itself(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    send(adapter, resting(rig, "other"))
    return market(rig, "id", side=Side.SELL)


def blocked(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
    rig.set_flags(blocked=True)
    return market(rig, "id")


def said(words: str) -> Callable[[PaperRig, BrokerAdapter], NewOrder]:
    """What this venue has no rule for, said by a fault."""

    def scene(rig: PaperRig, adapter: BrokerAdapter) -> NewOrder:
        rig.refuse(words)
        return market(rig, "id")

    return scene


Scene = Callable[[PaperRig, BrokerAdapter], NewOrder]
SCENES: dict[RefusalCode, Scene] = {
    RefusalCode.INSUFFICIENT_MARGIN: lambda rig, adapter: market(rig, "id", order_qty=Decimal(1_000_000)),
    RefusalCode.INSUFFICIENT_SHARES: without_shares,
    RefusalCode.UNKNOWN_SYMBOL: lambda rig, adapter: market(rig, "id", symbol="NOSUCHSYMBOL"),
    RefusalCode.NOT_TRADABLE: not_tradable,
    RefusalCode.NOT_SHORTABLE: not_shortable,
    RefusalCode.POSITION_MODE: said("position mode does not match: hedge mode is on"),
    RefusalCode.HALTED: halted,
    RefusalCode.PRICE_OUTSIDE_BANDS: outside_bands,
    RefusalCode.PRICE_INCREMENT: lambda rig, adapter: limit(rig, "99.999"),
    RefusalCode.QUANTITY: not_in_fractions,
    RefusalCode.ORDER_TERMS: lambda rig, adapter: market(
        rig, "id", order_qty=Decimal("0.5"), time_in_force=TimeInForce.GTC
    ),
    RefusalCode.WASH_TRADE: against_itself,
    RefusalCode.DAY_TRADE_LIMIT: said("trade denied due to pattern day trading protection"),
    RefusalCode.ACCOUNT_BLOCKED: blocked,
    RefusalCode.OTHER: said("for reasons of its own"),
}
ELSEWHERE = {RefusalCode.MARKET_CLOSED, RefusalCode.RATE_LIMITED, RefusalCode.ORDER_NOT_OPEN}
"""Refusals after which an order is sent later, and those of cancels and replaces: tests of their own below."""


def test_every_code_has_its_scene() -> None:
    assert set(SCENES) | ELSEWHERE == set(RefusalCode)
    assert not set(SCENES) & ELSEWHERE


@pytest.mark.parametrize("code", SCENES)
def test_a_refused_order_says_why(rig: PaperRig, adapter: BrokerAdapter, code: RefusalCode) -> None:
    order = SCENES[code](rig, adapter)
    with pytest.raises(OrderRejected) as caught:
        send(adapter, order)
    assert caught.value.code is code, caught.value.reason
    assert caught.value.reason
    assert caught.value.broker_code
    assert isinstance(caught.value, PositionModeMismatch) == (code is RefusalCode.POSITION_MODE)
    assert rig.orders_accepted("id") == 0


def test_what_is_only_too_early_is_not_refused(rig: PaperRig, adapter: BrokerAdapter, new_id: NewId) -> None:
    rig.refuse("orders are only accepted during market hours")
    with pytest.raises(MarketClosed):
        send(adapter, market(rig, new_id()))
    rig.slow_down(7)
    with pytest.raises(RateLimited) as limited:
        send(adapter, market(rig, new_id()))
    assert limited.value.retry_after_seconds == 7


def test_an_order_that_has_ended_can_neither_be_canceled_nor_replaced(
    rig: PaperRig, adapter: BrokerAdapter, new_id: NewId
) -> None:
    cl_ord_id = new_id()
    done = send(adapter, market(rig, cl_ord_id))
    until(adapter, cl_ord_id, OrdStatus.FILLED)
    with pytest.raises(OrderRejected) as canceled:
        adapter.cancel_order(CancelOrder(new_id(), cl_ord_id, done.broker_order_id), before_send=lambda: None)
    assert canceled.value.code is RefusalCode.ORDER_NOT_OPEN
    change = ReplaceOrder(new_id(), cl_ord_id, done.broker_order_id, order_qty=Decimal(20))
    with pytest.raises(OrderRejected) as replaced:
        adapter.replace_order(change, before_send=lambda: None)
    assert replaced.value.code is RefusalCode.ORDER_NOT_OPEN


def test_a_replace_is_held_to_the_same_rules(rig: PaperRig, adapter: BrokerAdapter, new_id: NewId) -> None:
    cl_ord_id = new_id()
    order = send(adapter, resting(rig, cl_ord_id))
    until(adapter, cl_ord_id, OrdStatus.NEW)

    def refused(**terms: Any) -> RefusalCode:
        change = ReplaceOrder(new_id(), cl_ord_id, order.broker_order_id, **terms)
        with pytest.raises(OrderRejected) as caught:
            adapter.replace_order(change, before_send=lambda: None)
        return caught.value.code

    assert refused(order_qty=Decimal(1_000_000)) is RefusalCode.INSUFFICIENT_MARGIN
    rig.control("bands", symbol=rig.symbol, low="40", high="60")
    assert refused(price=Decimal(61)) is RefusalCode.PRICE_OUTSIDE_BANDS
    rig.control("halts", symbol=rig.symbol, halted=True, refuse=True)
    assert refused(price=Decimal(55)) is RefusalCode.HALTED
    assert until(adapter, cl_ord_id, OrdStatus.NEW).price == Decimal(50)


def test_an_order_that_is_rejected_after_it_was_accepted_says_why_on_the_stream(
    rig: PaperRig, venue: VenueProcess, adapter: BrokerAdapter, listener: Listener, new_id: NewId
) -> None:
    rig.reject("trading in this asset is halted")
    cl_ord_id = new_id()
    accepted = send(adapter, market(rig, cl_ord_id))
    assert (accepted.ord_status, accepted.refusal) == (OrdStatus.PENDING_NEW, None)
    told: ExecutionReport | None = None
    while told is None or told.exec_type is not ExecType.REJECTED:
        told = listener.next()
    assert (told.cl_ord_id, told.refusal) == (cl_ord_id, RefusalCode.HALTED)
    assert told.text == "trading in this asset is halted"
    asked = until(adapter, cl_ord_id, OrdStatus.REJECTED)
    assert (asked.exec_type, asked.refusal, asked.text) == (ExecType.ORDER_STATUS, RefusalCode.OTHER, "")
