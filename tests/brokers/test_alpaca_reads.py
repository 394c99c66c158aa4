"""What is read back: look-ups, listings with their pages, fills with their owners."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.alpaca import history
from brokers.alpaca.adapter import AlpacaAdapter
from brokers.errors import (
    BrokerError,
    BrokerUnavailable,
    CredentialsRefused,
    OutcomeUnknown,
    RateLimited,
)
from brokers.types import ExecType, OrdStatus
from tests.brokers.payloads import ORDER_ID, OTHER_ID, fill_activity, order
from tests.fixtures.scripted_http import Answer, ScriptedServer, answer, hang_up, stay_silent

SINCE = datetime(2021, 1, 1, tzinfo=UTC)


def test_none_only_on_a_proven_404(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(404, {"code": 40410000, "message": "order not found for x"}))
    assert adapter.get_order("x") is None


@pytest.mark.parametrize(
    ("fate", "kind"),
    [
        (answer(404, "<html>not found</html>"), OutcomeUnknown),
        (answer(404, {"message": "no route"}), OutcomeUnknown),
        (answer(500, ""), BrokerUnavailable),
        (answer(429, ""), RateLimited),
        (answer(401, {"message": "unauthorized."}), CredentialsRefused),
        (answer(403, {"message": "forbidden."}), CredentialsRefused),
        (answer(200, "null"), OutcomeUnknown),
        (answer(200, "[" * 100_000), OutcomeUnknown),
        (answer(200, order(client_order_id="other")), OutcomeUnknown),
        (hang_up, OutcomeUnknown),
        (stay_silent, OutcomeUnknown),
    ],
)
def test_anything_else_is_an_error(
    adapter: AlpacaAdapter, server: ScriptedServer, fate: Answer, kind: type[BrokerError]
) -> None:
    server.script.append(fate)
    with pytest.raises(kind):
        adapter.get_order("0aBcDeFgHiJkLmNoPqRsTu")


def test_pages_through_orders_without_losing_ties(
    adapter: AlpacaAdapter, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ORDERS_A_PAGE", 2)
    first, tied, last = (
        order(id=f"{number}", client_order_id=f"c{number}", submitted_at=f"2021-03-16T18:38:0{second}Z")
        for number, second in ((1, 1), (2, 2), (3, 2))
    )
    server.script.append(answer(200, [first, tied]))
    server.script.append(answer(200, [tied, last]))
    server.script.append(answer(200, [last]))
    reports = adapter.list_orders(since=SINCE)
    assert [report.cl_ord_id for report in reports] == ["c1", "c2", "c3"]
    assert "after=2021-03-16T18%3A38%3A01.999999Z" in server.requests[1].line


def test_a_list_that_does_not_advance_is_an_error(
    adapter: AlpacaAdapter, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ORDERS_A_PAGE", 1)
    server.script.extend([answer(200, [order()])] * 2)
    with pytest.raises(OutcomeUnknown):
        adapter.list_orders(since=SINCE)


def test_a_strange_order_of_somebody_else_does_not_hide_ours(
    adapter: AlpacaAdapter, server: ScriptedServer
) -> None:
    strange = order(id=OTHER_ID, client_order_id="placed-by-hand", status="levitating")
    server.script.append(answer(200, [strange, order()]))
    (report,) = adapter.list_orders(since=SINCE, cl_ord_ids=["0aBcDeFgHiJkLmNoPqRsTu", "absent"])
    assert report.broker_order_id == ORDER_ID


@pytest.mark.parametrize("strange", [{"status": "levitating"}, {"side": "sideways"}, {"filled_qty": "much"}])
def test_an_order_of_ours_that_cannot_be_read_hides_no_other(
    adapter: AlpacaAdapter, server: ScriptedServer, strange: dict[str, str]
) -> None:
    server.script.append(answer(200, [order(id=OTHER_ID, client_order_id="strange", **strange), order()]))
    (report,) = adapter.list_orders(since=SINCE, cl_ord_ids=["strange", "0aBcDeFgHiJkLmNoPqRsTu"])
    assert report.broker_order_id == ORDER_ID


def test_an_order_without_a_client_id_hides_no_other(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(200, [order(id=OTHER_ID, client_order_id=None), order()]))
    (report,) = adapter.list_orders(since=SINCE, cl_ord_ids=["0aBcDeFgHiJkLmNoPqRsTu"])
    assert report.broker_order_id == ORDER_ID


@pytest.mark.parametrize("strange", [{"status": "levitating"}, {"side": "sideways"}])
def test_one_order_that_cannot_be_read_is_there_all_the_same(
    adapter: AlpacaAdapter, server: ScriptedServer, strange: dict[str, str]
) -> None:
    server.script.append(answer(200, order(**strange)))
    with pytest.raises(OutcomeUnknown):
        adapter.get_order("0aBcDeFgHiJkLmNoPqRsTu")


@pytest.mark.parametrize("strange", [{"side": "buy_minus"}, {"type": "gift"}, {"transaction_time": None}])
def test_a_fill_that_cannot_be_read_hides_no_other(
    adapter: AlpacaAdapter, server: ScriptedServer, strange: dict[str, str | None]
) -> None:
    server.script.append(answer(200, [fill_activity(1, **strange), fill_activity(2)]))
    server.script.append(answer(200, order()))
    (report,) = adapter.list_executions(since=SINCE)
    assert report.exec_id == "ddc0a142-ebfd-4890-9021-000000000002"


@pytest.mark.parametrize("count", [2, 5])
def test_a_fill_of_an_order_that_cannot_be_read_is_nobody_elses(
    adapter: AlpacaAdapter, server: ScriptedServer, count: int
) -> None:
    """It is left out: told without its order's id it would be taken for one of no order of ours."""
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(count)]
    orders = [order(id=ids[number], client_order_id=f"c{number}") for number in range(1, count)]
    strange = order(id=ids[0], client_order_id="c0", status="levitating")
    server.script.append(
        answer(200, [fill_activity(number, order_id=ids[number]) for number in range(count)])
    )
    if count == 5:
        server.script.append(answer(200, [strange, *orders]))  # the listing
        orders = []
    server.script.extend(answer(200, one) for one in [strange, *orders])
    assert {fill.cl_ord_id for fill in adapter.list_executions(since=SINCE)} == {
        f"c{number}" for number in range(1, count)
    }


def test_what_undoes_a_fill_comes_after_it_even_in_the_same_millisecond(
    adapter: AlpacaAdapter, server: ScriptedServer
) -> None:
    named = {"previous_execution_id": "ddc0a142-ebfd-4890-9021-000000000001", "order_status": "new"}
    bust = fill_activity(2, type="trade_bust", cum_qty="0", leaves_qty="1000", **named)
    server.script.append(answer(200, [bust, fill_activity(1)]))
    server.script.append(answer(200, order()))
    fill, undone = adapter.list_executions(since=SINCE)
    assert (fill.exec_type, undone.exec_type) == (ExecType.TRADE, ExecType.TRADE_CANCEL)
    assert undone.exec_ref_id == fill.exec_id


def test_fills_carry_their_orders_client_id(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    last = fill_activity(2, type="fill", qty="131", cum_qty="1000", leaves_qty="0")
    server.script.append(answer(200, [last, fill_activity(1)]))
    server.script.append(answer(200, order(qty="1000", symbol="QQQJ")))
    partial, full = adapter.list_executions(since=SINCE)
    assert partial.exec_type is full.exec_type is ExecType.TRADE
    assert (partial.ord_status, full.ord_status) == (OrdStatus.PARTIALLY_FILLED, OrdStatus.FILLED)
    assert partial.exec_id == "ddc0a142-ebfd-4890-9021-000000000001"
    assert (partial.last_qty, partial.last_px, partial.cum_qty) == (
        Decimal(100),
        Decimal("31.6"),
        Decimal(869),
    )
    assert full.cl_ord_id == "0aBcDeFgHiJkLmNoPqRsTu"
    assert full.order_qty == Decimal(1000)
    assert [request.line.split()[1].split("?")[0] for request in server.requests] == [
        "/v2/account/activities/FILL",
        f"/v2/orders/{ORDER_ID}",
    ]


def test_many_unknown_orders_cost_one_listing(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(5)]
    fills = [fill_activity(number, order_id=ids[number]) for number in range(5)]
    orders = [order(id=ids[number], client_order_id=f"c{number}") for number in range(5)]
    server.script.append(answer(200, fills))
    server.script.append(answer(200, orders))
    reports = adapter.list_executions(since=SINCE)
    assert {report.cl_ord_id for report in reports} == {f"c{number}" for number in range(5)}
    assert len(server.requests) == 2


def test_a_fill_of_an_order_that_is_gone_is_still_told(
    adapter: AlpacaAdapter, server: ScriptedServer
) -> None:
    server.script.append(answer(200, [fill_activity(1)]))
    server.script.append(answer(404, {"code": 40410000, "message": "order not found"}))
    (report,) = adapter.list_executions(since=SINCE)
    assert report.cl_ord_id == ""
    assert report.broker_order_id == ORDER_ID
    assert report.order_qty == Decimal(1000)


def test_pages_through_fills(
    adapter: AlpacaAdapter, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FILLS_A_PAGE", 1)
    server.script.append(answer(200, [fill_activity(1)]))
    server.script.append(answer(200, [fill_activity(2)]))
    server.script.append(answer(200, []))
    server.script.append(answer(200, order()))
    assert len(adapter.list_executions(since=SINCE)) == 2
    assert "page_token=20210127144930176%3A%3Addc0a142" in server.requests[1].line


def test_account_positions_and_quote(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    account = {
        "account_number": "010203ABCD",
        "currency": "USD",
        "status": "ACTIVE",
        "cash": "-23140.2",
        "equity": "103820.56",
        "buying_power": "262113.632",
        "trading_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": True,
    }
    short = {"symbol": "TSLA", "side": "short", "qty": "-5", "avg_entry_price": "100.5"}
    server.script.append(answer(200, account))
    server.script.append(answer(200, [short, {**short, "symbol": "F", "side": "long", "qty": "1.25"}]))
    server.script.append(
        answer(200, '{"quotes":{"F":{"bp":0,"ap":12.10,"t":"2021-01-27T19:49:30.176123456Z"}}}')
    )
    report = adapter.account()
    assert report.blocked
    assert report.cash == Decimal("-23140.2")
    tesla, ford = adapter.list_positions()
    assert tesla.qty == Decimal(-5)
    assert ford.qty == Decimal("1.25")
    quote = adapter.quote("F")
    assert quote.bid_px is None
    assert str(quote.ask_px) == "12.10"
    assert quote.quote_time == datetime(2021, 1, 27, 19, 49, 30, 176123, tzinfo=UTC)


def test_quotes_in_one_call_leave_out_what_is_missing_or_unreadable(
    adapter: AlpacaAdapter, server: ScriptedServer
) -> None:
    rows = (
        '"F":{"bp":12,"ap":12.10,"t":"2021-01-27T19:49:30Z"},"GM":{"bp":"x","t":"2021-01-27T19:49:30Z"},'
        '"BRK.B":{"bp":400,"ap":0,"t":"2021-01-27T19:49:30Z"}'
    )
    server.script.append(answer(200, f'{{"quotes":{{{rows}}}}}'))
    quotes = adapter.quotes(["GM", "F", "BRK.B", "NONE", "AAPL261218C00150000", "BTC/USD"])
    assert [(quote.symbol, str(quote.bid_px), quote.ask_px) for quote in quotes] == [
        ("BRK.B", "400", None),
        ("F", "12", Decimal("12.10")),
    ]
    assert "symbols=BRK.B%2CF%2CGM%2CNONE" in server.requests[-1].line
