"""The comparing itself, case by case."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.types import CorporateAction, ExecType, ExecutionReport, OrdStatus, PositionReport, Side
from orders.reconciliation import (
    Holding,
    PositionDifference,
    Why,
    WorkingOrder,
    adjusting_price,
    cash_difference,
    has_changed,
    position_differences,
    stood_still,
    strangers,
)

D = Decimal
NOW = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
REPORT = ExecutionReport(
    exec_type=ExecType.ORDER_STATUS,
    ord_status=OrdStatus.NEW,
    cl_ord_id="c1",
    broker_order_id="b1",
    symbol="AAPL",
    side=Side.BUY,
    order_qty=D(10),
    transact_time=NOW,
    cum_qty=D(0),
)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"transact_time": NOW + dt.timedelta(seconds=1)}, True),
        ({"cum_qty": D(1)}, False),
        ({"ord_status": OrdStatus.CANCELED}, False),
        ({"exec_id": "x"}, False),
        ({"broker_order_id": "b2"}, False),
    ],
)
def test_whether_books_stood_still(changes: dict[str, object], same: bool) -> None:
    assert stood_still([REPORT], [replace(REPORT, **changes)]) is same  # type: ignore[arg-type]


def test_books_that_have_grown_did_not_stand_still() -> None:
    assert not stood_still([REPORT], [REPORT, replace(REPORT, broker_order_id="b2")])
    assert stood_still([], [])


@pytest.mark.parametrize(
    ("cl_ord_ids", "broker_ids", "strange"),
    [(set(), set(), True), ({"c1"}, set(), False), (set(), {"b1"}, False), ({"c2"}, {"b2"}, True)],
)
def test_whose_order_it_is(cl_ord_ids: set[str], broker_ids: set[str], strange: bool) -> None:
    assert bool(strangers([REPORT], cl_ord_ids, broker_ids)) is strange


S = OrdStatus


@pytest.mark.parametrize(
    ("ours", "cum", "ended", "theirs", "their_cum", "changed"),
    [
        (S.NEW, 0, False, S.NEW, 0, False),
        (S.NEW, 0, False, S.PENDING_CANCEL, 0, False),
        (S.PENDING_NEW, 0, False, S.NEW, 0, True),
        (S.PENDING_NEW, 0, False, S.PENDING_NEW, 0, False),
        (S.NEW, 0, False, S.CANCELED, 0, True),
        (S.NEW, 0, False, S.FILLED, 10, True),
        (S.PARTIALLY_FILLED, 4, False, S.PARTIALLY_FILLED, 6, True),
        (S.PARTIALLY_FILLED, 6, False, S.PARTIALLY_FILLED, 4, False),
        (S.FILLED, 10, True, S.FILLED, 10, False),
        (S.CANCELED, 2, True, S.CANCELED, 5, True),
        (S.DENIED, 0, True, S.NEW, 0, True),
        (S.NEW, 0, False, S.REPLACED, 0, False),
    ],
)
def test_what_has_changed(
    ours: OrdStatus, cum: int, ended: bool, theirs: OrdStatus, their_cum: int, changed: bool
) -> None:
    order = WorkingOrder(ours, D(10), D(cum), ended)
    assert has_changed(order, replace(REPORT, ord_status=theirs, cum_qty=D(their_cum))) is changed


SPLIT = CorporateAction("AAPL", D(10), NOW.date(), "2 for 1")


@pytest.mark.parametrize(
    ("ours", "theirs", "actions", "why"),
    [
        ((10, 1000), (10, 100), [], None),
        ((10, 1000), (10, 50), [], None),  # the price is not what is compared
        ((10, 1000), (0, 0), [], Why.UNEXPLAINED),
        ((0, 0), (10, 100), [], Why.UNEXPLAINED),
        ((10, 1000), (4, 100), [], Why.UNEXPLAINED),
        ((10, 1000), (20, 50), [], Why.CORPORATE_ACTION),
        ((10, 1000), (D("3.3"), D("303.03")), [], Why.CORPORATE_ACTION),
        ((10, 1000), (20, 100), [], Why.UNEXPLAINED),
        ((10, 1000), (20, 100), [SPLIT], Why.CORPORATE_ACTION),
        ((0, 0), (10, 100), [SPLIT], Why.UNEXPLAINED),
        ((-10, -1000), (-20, 50), [], Why.CORPORATE_ACTION),
        ((-10, -1000), (10, 100), [], Why.UNEXPLAINED),
    ],
)
def test_how_positions_differ(
    ours: tuple[int, int], theirs: tuple[D, D], actions: list[CorporateAction], why: Why | None
) -> None:
    held = {"AAPL": Holding(D(ours[0]), D(ours[1]))} if ours[0] else {}
    there = [PositionReport("AAPL", D(theirs[0]), D(theirs[1]))] if theirs[0] else []
    assert [one.why for one in position_differences(held, there, actions)] == ([why] if why else [])


@pytest.mark.parametrize(
    ("ours", "theirs", "last", "price"),
    [
        ((10, 1000), (0, 0), 104, 104),  # closed: at the last price,
        ((10, 1000), (0, 0), None, 100),  # or at what it has cost
        ((10, 1000), (4, 400), 104, 104),
        ((10, 1000), (20, 2200), 104, 120),  # opened: at what their cost is above ours
        ((0, 0), (-5, -250), 104, 50),
        ((10, 1000), (20, 900), 104, 104),  # which makes no sense here
        ((10, 1000), (-5, -500), 104, 104),
    ],
)
def test_at_which_price_it_is_booked(
    ours: tuple[int, int], theirs: tuple[int, int], last: int | None, price: int
) -> None:
    difference = PositionDifference("AAPL", Holding(*map(D, ours)), Holding(*map(D, theirs)), Why.UNEXPLAINED)
    assert adjusting_price(difference, None if last is None else D(last)) == price


@pytest.mark.parametrize(
    ("theirs", "difference"), [("900", None), ("900.01", None), ("900.02", "0.02"), ("850", "-50")]
)
def test_cash(theirs: str, difference: str | None) -> None:
    found = cash_difference(base=D(1000), booked=D(-100), theirs=D(theirs), tolerance=D("0.01"))
    assert found == (None if difference is None else D(difference))
