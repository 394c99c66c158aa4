"""What every adapter must tell of fills, positions, the account and prices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from brokers import catalog, registry
from brokers.base import BrokerAdapter
from brokers.types import CancelOrder, ExecType, ExecutionReport, OrdStatus, Side
from tests.contract.conftest import RIGGED_BROKERS, Listener
from tests.contract.rigs import Rig, decimals
from tests.contract.test_orders import market, resting, send, until

NewId = Callable[[], str]


def test_every_registered_adapter_is_in_the_suite() -> None:
    """A live broker counts as covered by a simulated one that runs the same adapter."""
    keys = {"key_id": "k", "secret": "s"}
    options = registry.AdapterOptions(venue_url="http://127.0.0.1:1")
    rigged = {type(registry.open_adapter(name, keys, options)) for name in RIGGED_BROKERS}
    for name in catalog.broker_names():
        assert type(registry.open_adapter(name, keys, options)) in rigged, name


def test_the_stream_tells_a_fill(rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId) -> None:
    cl_ord_id = new_id()
    report = send(adapter, market(rig, cl_ord_id))
    (trade,) = listener.trades(1)
    assert trade.cl_ord_id == cl_ord_id
    assert trade.broker_order_id == report.broker_order_id
    assert (trade.last_qty, trade.last_px) == (Decimal(10), Decimal(100))
    assert (trade.cum_qty, trade.avg_px) == (Decimal(10), Decimal(100))
    assert trade.ord_status is OrdStatus.FILLED
    assert trade.exec_id


def test_partial_fills_come_one_by_one_and_match_the_executions(
    rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    rig.fill_in_parts("2", "3", "5")
    cl_ord_id = new_id()
    send(adapter, market(rig, cl_ord_id))
    trades = listener.trades(3)
    assert [trade.last_qty for trade in trades] == decimals("2", "3", "5")
    assert [trade.cum_qty for trade in trades] == decimals("2", "5", "10")
    assert trades[0].ord_status is OrdStatus.PARTIALLY_FILLED
    assert trades[2].ord_status is OrdStatus.FILLED
    executions = adapter.list_executions(since=since)
    assert [facts_of(trade) for trade in trades] == [facts_of(one) for one in executions]
    assert all(one.exec_type is ExecType.TRADE and one.order_qty == Decimal(10) for one in executions)
    assert len({trade.exec_id for trade in trades}) == 3


def facts_of(fill: ExecutionReport) -> tuple[object, ...]:
    """What must be the same whichever way a fill was learned of."""
    return (
        fill.exec_id, fill.cl_ord_id, fill.broker_order_id, fill.symbol, fill.side, fill.order_qty,
        fill.last_qty, fill.last_px, fill.cum_qty, fill.ord_status,
    )  # fmt: skip


def test_executions_are_known_to_an_adapter_that_placed_none_of_the_orders(
    rig: Rig, adapter: BrokerAdapter, new_id: NewId
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    ids = [new_id() for _ in range(6)]
    for cl_ord_id in ids:
        send(adapter, market(rig, cl_ord_id, order_qty=Decimal(1)))
    for cl_ord_id in ids:
        until(adapter, cl_ord_id, OrdStatus.FILLED)
    other = rig.open_adapter()
    assert sorted(one.cl_ord_id for one in other.list_executions(since=since)) == sorted(ids)
    other.close()


def test_a_gap_is_told_and_can_be_filled(
    rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    assert listener.stream is not None
    rig.cut_streams()
    while listener.next() is not None:
        pass
    missed = new_id()
    send(adapter, market(rig, missed))
    (trade,) = listener.trades(1)
    assert trade.cl_ord_id == missed
    assert listener.stream.is_live
    assert [one.exec_id for one in adapter.list_executions(since=since)] == [trade.exec_id]


def test_a_stream_that_is_renewed_tells_the_gap_and_goes_on(
    rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId
) -> None:
    assert listener.stream is not None
    listener.stream.renew()
    assert listener.next() is None
    assert listener.stream.wait_live(10)
    send(adapter, market(rig, new_id()))
    assert listener.trades(1)[0].last_qty == Decimal(10)


def test_the_stream_comes_back_after_an_outage(
    rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId
) -> None:
    assert listener.stream is not None
    with rig.unreachable():
        pass
    assert listener.next() is None
    assert listener.stream.wait_live(10)
    send(adapter, market(rig, new_id()))
    assert listener.trades(1)[0].last_qty == Decimal(10)


def test_the_stream_tells_a_cancel(
    rig: Rig, adapter: BrokerAdapter, listener: Listener, new_id: NewId
) -> None:
    cl_ord_id = new_id()
    order = send(adapter, resting(rig, cl_ord_id))
    adapter.cancel_order(CancelOrder(new_id(), cl_ord_id, order.broker_order_id), before_send=lambda: None)
    told = []
    while not told or told[-1] is not ExecType.CANCELED:
        report = listener.next()
        assert report is not None
        assert report.cl_ord_id == cl_ord_id
        told.append(report.exec_type)
    assert ExecType.TRADE not in told


def test_positions_are_signed(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    assert adapter.list_positions() == []
    cl_ord_id = new_id()
    send(adapter, market(rig, cl_ord_id))
    until(adapter, cl_ord_id, OrdStatus.FILLED)
    (position,) = adapter.list_positions()
    assert (position.symbol, position.qty, position.avg_px) == (rig.symbol, Decimal(10), Decimal(100))
    if not adapter.capabilities.shorting:
        return
    for qty in (10, 4):
        cl_ord_id = new_id()
        send(adapter, market(rig, cl_ord_id, side=Side.SELL, order_qty=Decimal(qty)))
        until(adapter, cl_ord_id, OrdStatus.FILLED)
    (position,) = adapter.list_positions()
    assert position.qty == Decimal(-4)


def test_the_account(rig: Rig, adapter: BrokerAdapter, new_id: NewId) -> None:
    before = adapter.account()
    assert before.cash == before.equity == Decimal(100_000)
    assert before.currency == "USD"
    assert not before.blocked
    cl_ord_id = new_id()
    send(adapter, market(rig, cl_ord_id))
    until(adapter, cl_ord_id, OrdStatus.FILLED)
    after = adapter.account()
    assert after.account_number == before.account_number
    assert after.cash == Decimal(99_000)
    assert after.buying_power < before.buying_power


def test_a_quote(rig: Rig, adapter: BrokerAdapter) -> None:
    rig.set_price("123.45")
    quote = adapter.quote(rig.symbol)
    assert (quote.bid_px, quote.ask_px) == (Decimal("123.45"), Decimal("123.45"))
    assert abs(datetime.now(UTC) - quote.quote_time) < timedelta(minutes=1)


def test_quotes_of_several_symbols_in_one_call(rig: Rig, adapter: BrokerAdapter) -> None:
    rig.set_price("123.45")
    quotes = adapter.quotes([rig.symbol, rig.symbol, "BTC/USD"])
    assert [(quote.symbol, quote.bid_px) for quote in quotes] == [(rig.symbol, Decimal("123.45"))]
    assert adapter.quotes([]) == []


def test_what_there_is_to_trade(adapter: BrokerAdapter) -> None:
    """Nothing may be missing that gates, prices and sizing rely on, whoever the broker is."""
    reports = adapter.list_instruments()
    assert reports
    assert len({report.symbol for report in reports}) == len(reports)
    for report in reports:
        assert report.symbol and report.currency
        starts = [start for start, _ in report.ticks]
        assert starts == sorted(starts) and starts[0] == 0
        assert all(tick > 0 for _, tick in report.ticks)
        assert min(report.lot_step, report.short_step, report.min_qty, report.multiplier) > 0
    assert any(report.tradable for report in reports)
