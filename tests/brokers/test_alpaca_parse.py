from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca import parse
from brokers.alpaca.values import UnreadableFact, decimal_of, time_of
from brokers.errors import OutcomeUnknown
from brokers.types import ExecType, ExecutionReport, OrdStatus
from tests.brokers.payloads import ORDER_ID, fill_activity, order


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("accepted", OrdStatus.PENDING_NEW),
        ("pending_new", OrdStatus.PENDING_NEW),
        ("held", OrdStatus.PENDING_NEW),
        ("accepted_for_bidding", OrdStatus.NEW),
        ("done_for_day", OrdStatus.DONE_FOR_DAY),
        ("pending_cancel", OrdStatus.PENDING_CANCEL),
        ("pending_replace", OrdStatus.PENDING_REPLACE),
        ("stopped", OrdStatus.STOPPED),
        ("suspended", OrdStatus.SUSPENDED),
        ("replaced", OrdStatus.REPLACED),
    ],
)
def test_statuses(status: str, expected: OrdStatus) -> None:
    report = parse.parse_order(order(status=status))
    assert report.ord_status is expected
    assert report.exec_type is ExecType.ORDER_STATUS


def test_calculated_is_filled_or_done_for_the_day() -> None:
    assert parse.parse_order(order(status="calculated", filled_qty="15")).ord_status is OrdStatus.FILLED
    assert parse.parse_order(order(status="calculated")).ord_status is OrdStatus.DONE_FOR_DAY


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("accepted", ExecType.PENDING_NEW),
        ("new", ExecType.NEW),
        ("rejected", ExecType.REJECTED),
        ("partially_filled", ExecType.ORDER_STATUS),
        ("filled", ExecType.ORDER_STATUS),
    ],
)
def test_an_answer_is_never_a_trade(status: str, expected: ExecType) -> None:
    assert parse.parse_submitted(order(status=status, filled_qty="1")).exec_type is expected


@pytest.mark.parametrize("name", ["id", "client_order_id", "symbol", "side", "status"])
@pytest.mark.parametrize("value", [None, "", 5, "levitating"])
def test_what_is_missing_or_strange_is_unknown(name: str, value: Any) -> None:
    if value == "levitating" and name in ("id", "client_order_id", "symbol"):
        return
    with pytest.raises(OutcomeUnknown):
        parse.parse_order(order(**{name: value}))


def test_an_order_by_value_has_the_quantity_of_its_fills() -> None:
    report = parse.parse_order(order(qty=None, notional="500", filled_qty="1.5", filled_avg_price="333.3"))
    assert report.order_qty == report.cum_qty == Decimal("1.5")


@pytest.mark.parametrize("value", [1.5, True, None, "NaN", "Infinity", "", "1,5", [], {}])
def test_no_number(value: Any) -> None:
    with pytest.raises(UnreadableFact):
        decimal_of(value)


def test_exact_numbers() -> None:
    assert str(decimal_of("189.500000001")) == "189.500000001"


@pytest.mark.parametrize("value", ["", "yesterday", "2021-03-16T18:38:01", 1615919881, None])
def test_no_time(value: Any) -> None:
    with pytest.raises(UnreadableFact):
        time_of(value)


def test_times_are_utc_and_cut_to_microseconds() -> None:
    assert time_of("2021-03-16T14:38:01.942282999-04:00").isoformat() == "2021-03-16T18:38:01.942282+00:00"


def update(event: str, **fields: Any) -> dict[str, Any]:
    return {"event": event, "timestamp": "2021-03-16T18:38:02.5Z", "order": order(status="new"), **fields}


def test_a_fill_of_the_stream() -> None:
    report = parse.parse_trade_update(
        {
            **update("partial_fill", execution_id="e-1", qty="5", price="10.01", position_qty="5"),
            "order": order(status="partially_filled", filled_qty="7", filled_avg_price="10.005"),
        }
    )
    assert report.exec_type is ExecType.TRADE
    assert report.exec_id == "e-1"
    assert (report.last_qty, report.last_px) == (Decimal(5), Decimal("10.01"))
    assert (report.cum_qty, report.avg_px) == (Decimal(7), Decimal("10.005"))
    assert report.transact_time.isoformat() == "2021-03-16T18:38:02.500000+00:00"


@pytest.mark.parametrize("missing", ["execution_id", "qty", "price"])
def test_a_fill_without_its_numbers_is_unknown(missing: str) -> None:
    fields = {"execution_id": "e-1", "qty": "5", "price": "10.01"}
    del fields[missing]
    with pytest.raises(UnreadableFact):
        parse.parse_trade_update(update("fill", **fields))


def test_a_bust_and_a_correction_name_what_they_undo() -> None:
    bust = parse.parse_trade_update(
        update("trade_bust", execution_id="e-2", previous_execution_id="e-1", reason="TRADE_BUST")
    )
    assert (bust.exec_type, bust.exec_id, bust.exec_ref_id) == (ExecType.TRADE_CANCEL, "e-2", "e-1")
    assert bust.text == "TRADE_BUST"
    with pytest.raises(UnreadableFact):
        parse.parse_trade_update(update("trade_correct", execution_id="e-2", qty="5", price="10"))


def undone(kind: str, **changes: Any) -> ExecutionReport:
    row = fill_activity(2, type=kind, **{"order_status": "canceled", "leaves_qty": "0"} | changes)
    return parse.parse_fill(row, cl_ord_id="c-1", order_qty=Decimal(1000))


def test_a_bust_among_the_activities() -> None:
    bust = undone("trade_bust", previous_execution_id="e-1")
    assert (bust.exec_type, bust.ord_status) == (ExecType.TRADE_CANCEL, OrdStatus.CANCELED)
    assert bust.exec_id == "ddc0a142-ebfd-4890-9021-000000000002"
    assert (bust.exec_ref_id, bust.last_qty, bust.last_px) == ("e-1", None, None)
    assert (bust.cl_ord_id, bust.order_qty, bust.cum_qty) == ("c-1", Decimal(1000), Decimal(869))


def test_a_correction_among_the_activities() -> None:
    correction = undone("trade_correct", previous_execution_id="e-1", order_status="partially_filled")
    assert (correction.exec_type, correction.ord_status) == (
        ExecType.TRADE_CORRECT,
        OrdStatus.PARTIALLY_FILLED,
    )
    assert (correction.exec_ref_id, correction.last_qty, correction.last_px) == (
        "e-1",
        Decimal(100),
        Decimal("31.6"),
    )


@pytest.mark.parametrize("kind", ["trade_bust", "trade_correct"])
@pytest.mark.parametrize("strange", [{}, {"previous_execution_id": "e-1", "order_status": "levitating"}])
def test_an_activity_that_does_not_say_what_it_undoes_is_unknown(kind: str, strange: dict[str, str]) -> None:
    with pytest.raises(UnreadableFact):
        undone(kind, **strange)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("new", ExecType.NEW),
        ("canceled", ExecType.CANCELED),
        ("expired", ExecType.EXPIRED),
        ("replaced", ExecType.REPLACED),
        ("order_cancel_rejected", ExecType.CANCEL_REJECTED),
        ("order_replace_rejected", ExecType.REPLACE_REJECTED),
    ],
)
def test_events(event: str, expected: ExecType) -> None:
    report = parse.parse_trade_update(update(event))
    assert report.exec_type is expected
    assert report.broker_order_id == ORDER_ID


def test_an_unknown_event_is_unknown() -> None:
    with pytest.raises(UnreadableFact):
        parse.parse_trade_update(update("teleported"))
