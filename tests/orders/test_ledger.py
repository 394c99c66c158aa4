"""The comparison of the books, row by row; and the command on a real ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from brokers.paper.ledger import LedgerView, VenueFill, VenueHolding, VenueOrder

if TYPE_CHECKING:
    from orders.ledger import DeskHolding, DeskOrder, Report

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ACCOUNT = "0c9f1a2e-5f0e-4f57-9a69-0f8f6a1d2b3c"


def there(cl_ord_id: str = "one", status: str = "filled", **fields: Any) -> VenueOrder:
    """Make an order of 10 at the exchange, filled in two parts unless told otherwise."""
    fills = (
        VenueFill("f1", Decimal(4), Decimal("10.1"), NOW),
        VenueFill("f2", Decimal(6), Decimal("10.2"), NOW),
    )
    values: dict[str, Any] = {
        "broker_order_id": f"at-venue-{cl_ord_id}",
        "account_id": ACCOUNT,
        "symbol": "AAPL",
        "side": "buy",
        "qty": Decimal(10),
        "accepted_at": NOW,
        "replaces": None,
        "fills": fills if status == "filled" else (),
    }
    return VenueOrder(client_order_id=cl_ord_id, status=status, **(values | fields))


def here(cl_ord_id: str = "one", ord_status: str = "FILLED", **fields: Any) -> DeskOrder:
    """Make the desk's order that agrees with ``there``; one that never was there has no broker order id."""
    from orders.ledger import DeskFill, DeskOrder

    filled = ord_status == "FILLED"
    fills = {DeskFill("f1", Decimal(4), Decimal("10.1")), DeskFill("f2", Decimal(6), Decimal("10.2"))}
    values: dict[str, Any] = {
        "order_id": f"here-{cl_ord_id}",
        "account_id": ACCOUNT,
        "symbol": "AAPL",
        "side": "BUY",
        "order_qty": Decimal("10.000000000"),
        "cum_qty": Decimal(10 if filled else 0),
        "avg_px": Decimal("10.16") if filled else None,
        "broker_order_id": "" if ord_status in ("INITIALIZED", "DENIED") else f"at-venue-{cl_ord_id}",
        "reason": "",
        "recorded_at": NOW - timedelta(minutes=5),
        "eligible_at": None,
        "fills": frozenset(fills if filled else ()),
    }
    return DeskOrder(cl_ord_id=cl_ord_id, ord_status=ord_status, **(values | fields))


def compared(
    desk: Sequence[DeskOrder],
    venue: Sequence[VenueOrder],
    here: Sequence[DeskHolding] = (),
    there: Sequence[VenueHolding] = (),
) -> Report:
    from orders.ledger import compare

    return compare(desk, here, LedgerView(tuple(venue), tuple(there)), now=NOW)


def only(**numbers: int) -> dict[str, int]:
    names = ("accepted", "at_venue", "explained", "lost", "duplicated", "unexplained", "indeterminate")
    return {name: numbers.get(name, 0) for name in (*names, "positions", "cash")}


def test_positions_and_cash_are_compared_by_account_and_symbol() -> None:
    from orders.ledger import DeskHolding, table

    ours = [
        DeskHolding("acct", "AAPL", Decimal(10), Decimal(-1000)),
        DeskHolding("acct", "MSFT", Decimal(0), Decimal(5)),
    ]
    theirs = [VenueHolding(one.account_id, one.symbol, one.qty, one.cash) for one in ours]
    assert compared([], [], ours, theirs).is_clean
    assert compared([], [], [], [VenueHolding("acct", "AAPL", Decimal(0), Decimal(0))]).is_clean
    report = compared([], [], ours, theirs[:1])
    assert report.numbers() == only(cash=1)
    assert "MSFT in account acct: 5 here, 0 there" in table(report)
    other = [VenueHolding("acct", "AAPL", Decimal(9), Decimal(-900)), theirs[1]]
    report = compared([], [], ours, other)
    assert (report.numbers(), report.is_clean) == (only(positions=1, cash=1), False)


def test_nothing_agrees_with_nothing() -> None:
    report = compared([], [])
    assert report.numbers() == only()
    assert report.is_clean


@pytest.mark.parametrize(
    ("ord_status", "status"),
    [
        ("FILLED", "filled"),
        ("NEW", "new"),
        ("PENDING_NEW", "new"),
        ("NEW", "accepted"),
        ("PENDING_CANCEL", "new"),
        ("CANCELED", "canceled"),
        ("EXPIRED", "expired"),
        ("REJECTED", "rejected"),
        ("REPLACED", "replaced"),
        ("DONE_FOR_DAY", "done_for_day"),
    ],
)
def test_what_agrees(ord_status: str, status: str) -> None:
    report = compared([here(ord_status=ord_status)], [there(status=status)])
    assert report.numbers() == only(accepted=1, at_venue=1)
    assert report.is_clean


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        ({"ord_status": "DENIED", "reason": "TOO_OLD"}, "explained"),
        ({"ord_status": "DENIED"}, "lost"),  # a refusal of ours without a reason explains nothing
        ({"ord_status": "REJECTED", "reason": "INSUFFICIENT_MARGIN", "broker_order_id": ""}, "explained"),
        ({"ord_status": "REJECTED", "broker_order_id": ""}, "lost"),
        ({"ord_status": "REJECTED", "reason": "INSUFFICIENT_MARGIN"}, "lost"),  # it has an id there
        ({"ord_status": "CANCELED", "broker_order_id": ""}, "explained"),
        ({"ord_status": "CANCELED"}, "lost"),
        ({"ord_status": "NEW"}, "lost"),
        ({"ord_status": "FILLED"}, "lost"),
        ({"ord_status": "FILLED", "broker_order_id": ""}, "lost"),
        ({"ord_status": "EXPIRED", "broker_order_id": ""}, "lost"),
        ({"ord_status": "SUBMITTED", "broker_order_id": ""}, "indeterminate"),
        ({"ord_status": "INITIALIZED", "recorded_at": NOW - timedelta(seconds=60)}, "indeterminate"),
        ({"ord_status": "INITIALIZED", "recorded_at": NOW - timedelta(seconds=61)}, "lost"),
        ({"ord_status": "INITIALIZED", "eligible_at": NOW + timedelta(seconds=60)}, "indeterminate"),
        ({"ord_status": "INITIALIZED", "eligible_at": NOW + timedelta(hours=9)}, "explained"),
        ({"ord_status": "INITIALIZED", "eligible_at": NOW - timedelta(seconds=1)}, "lost"),
    ],
)
def test_what_is_not_there(order: dict[str, Any], kind: str) -> None:
    report = compared([here(**order)], [])
    assert report.numbers() == only(accepted=1, **{kind: 1})
    assert report.is_clean is (kind == "explained")


@pytest.mark.parametrize(
    ("difference", "why"),
    [
        ({"ord_status": "CANCELED"}, "status: canceled here, filled there"),
        ({"ord_status": "INITIALIZED"}, "status: initialized here, filled there"),
        ({"ord_status": "DENIED", "reason": "TOO_OLD"}, "status: denied here, filled there"),
        ({"broker_order_id": "another"}, "broker_order_id: another here, at-venue-one there"),
        ({"symbol": "MSFT"}, "symbol: MSFT here, AAPL there"),
        ({"side": "SELL"}, "side: sell here, buy there"),
        ({"order_qty": Decimal(11)}, "order_qty: 11 here, 10 there"),
        ({"cum_qty": Decimal(9)}, "cum_qty: 9 here, 10 there"),
        ({"avg_px": Decimal("10.17")}, "avg_px: 10.17 here, 10.16 there"),
        ({"avg_px": None}, "avg_px: None here, 10.16 there"),
        ({"fills": frozenset()}, "fills: 0 only here, 2 only there"),
    ],
)
def test_what_is_known_otherwise(difference: dict[str, Any], why: str) -> None:
    report = compared([replace(here(), **difference)], [there()])
    assert report.numbers() == only(accepted=1, at_venue=1, unexplained=1)
    assert why in report.unexplained[0].why.split("; ")


def test_a_fill_of_another_price_differs() -> None:
    fills = (
        VenueFill("f1", Decimal(4), Decimal("10.1"), NOW),
        VenueFill("f2", Decimal(6), Decimal("10.3"), NOW),
    )
    report = compared([here()], [there(fills=fills)])
    assert "fills: 1 only here, 1 only there" in report.unexplained[0].why


def test_an_average_is_compared_to_what_the_desk_keeps_of_it() -> None:
    fills = (VenueFill("f1", Decimal(1), Decimal(1), NOW), VenueFill("f2", Decimal(2), Decimal(2), NOW))
    from orders.ledger import DeskFill

    ours = here(
        cum_qty=Decimal(3),
        order_qty=Decimal(3),
        avg_px=Decimal("1.6666666667"),
        fills=frozenset({DeskFill("f1", Decimal(1), Decimal(1)), DeskFill("f2", Decimal(2), Decimal(2))}),
    )
    assert compared([ours], [there(fills=fills, qty=Decimal(3))]).is_clean


def test_an_order_there_twice_is_duplicated() -> None:
    report = compared([here()], [there(), there(broker_order_id="second")])
    assert report.numbers() == only(accepted=1, at_venue=1, duplicated=1)
    assert report.duplicated[0].broker_order_id == "at-venue-one second"


def test_an_order_in_flight_that_is_there_is_not_known_yet() -> None:
    report = compared([here(ord_status="SUBMITTED", broker_order_id="")], [there()])
    assert report.numbers() == only(accepted=1, at_venue=1, indeterminate=1)


def test_orders_that_nobody_here_knows() -> None:
    elsewhere = there("two", account_id="another account of ours")
    report = compared([here(), here("two")], [there(), elsewhere, there("three")])
    assert report.numbers() == only(accepted=2, at_venue=1, lost=1, unexplained=2)
    assert {finding.cl_ord_id for finding in report.unexplained} == {"two", "three"}


def test_the_report_as_json_and_for_people() -> None:
    from orders.ledger import table

    report = compared([here(str(number)) for number in range(25)], [])
    body = json.loads(json.dumps(report.as_dict()))
    assert body["lost"] == 25
    assert body["findings"]["lost"][0]["order_id"] == "here-0"
    text = table(report)
    assert text.count("\nlost: ") == 21
    assert "lost: and 5 more" in text
    assert text.endswith("do not agree.")
    assert table(compared([], [])).endswith("The books agree.")


# --- reading the desk's side ---


@pytest.mark.django_db
def test_reads_the_orders_of_paper_accounts_with_the_fills_that_count() -> None:
    from orders.ledger import DeskFill, desk_orders, paper_account_ids
    from tests.pages.rows import make_account, make_fill, make_order, make_trader

    user = make_trader()
    paper = make_account(user, external_id=ACCOUNT)
    make_account(user, "Old", external_id="no uuid")
    live = make_account(user, "Live", broker="alpaca", simulation=False, external_id=ACCOUNT)
    make_order(live)
    order = make_order(paper, reason="", text="as the broker says")
    make_fill(order, "1", "5", exec_id="stays")
    make_fill(order, "2", "5", exec_id="corrected")
    make_fill(order, "3", "6", exec_id="correction", exec_ref_id="corrected", exec_type="TRADE_CORRECT")
    make_fill(order, "4", "7", exec_id="busted")
    make_fill(order, "0", "0", exec_id="bust", exec_ref_id="busted", exec_type="TRADE_CANCEL")
    [row] = desk_orders()
    assert row.order_id == str(order.id)
    assert row.account_id == ACCOUNT
    assert row.reason == "as the broker says"
    assert row.fills == {
        DeskFill("stays", Decimal(1), Decimal(5)),
        DeskFill("correction", Decimal(3), Decimal(6)),
    }
    assert paper_account_ids() == [ACCOUNT]


# --- the command ---


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> list[VenueOrder]:
    """What the exchange's ledger holds."""
    from orders.management.commands import ledger_check

    orders: list[VenueOrder] = []
    monkeypatch.setattr(ledger_check, "read_ledger", lambda *_: LedgerView(tuple(orders)))
    monkeypatch.setattr(ledger_check, "PAUSE_SECONDS", 0.01)
    return orders


@pytest.mark.django_db
def test_the_command_says_it_and_ends_accordingly(
    ledger: list[VenueOrder], capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import call_command

    call_command("ledger_check", "--json")
    assert json.loads(capsys.readouterr().out)["unexplained"] == 0
    ledger.append(there())
    with pytest.raises(SystemExit) as ended:
        call_command("ledger_check", "--json", "--wait=0")
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["unexplained"] == 1


@pytest.mark.django_db
def test_the_command_reads_again_while_orders_move(
    ledger: list[VenueOrder], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import call_command

    from orders.management.commands import ledger_check

    ledger.append(there())
    monkeypatch.setattr(ledger_check.time, "sleep", lambda _: ledger.clear())
    call_command("ledger_check", "--wait=60")
    assert capsys.readouterr().out.endswith("The books agree.\n")


@pytest.mark.django_db
def test_books_that_cannot_be_read(settings: Any) -> None:
    from django.core.management import CommandError, call_command

    settings.VENUE_DATABASE_URL = "host=/nowhere dbname=venue"
    with pytest.raises(CommandError, match="cannot be read") as refused:
        call_command("ledger_check")
    assert "\n" not in str(refused.value)


def test_an_order_and_what_replaced_it_are_one() -> None:
    first = there("one", "replaced", fills=(VenueFill("f1", Decimal(4), Decimal("10.1"), NOW),))
    second = there("two", qty=Decimal(10), fills=(VenueFill("f2", Decimal(6), Decimal("10.2"), NOW),))
    order = here("one", links=("two",), broker_order_id="at-venue-two")
    assert compared([order], [first, second]).numbers() == only(accepted=1, at_venue=1)


def test_a_replace_that_arrived_twice_is_a_duplicate() -> None:
    order = here("one", links=("two",))
    report = compared([order], [there("one", "replaced"), there("two"), there("two")])
    assert report.numbers() == only(accepted=1, at_venue=1, duplicated=1)


def test_a_replace_that_the_desk_did_not_take_in_is_unexplained() -> None:
    order = here("one", "NEW", links=("two",))
    report = compared([order], [there("one", "replaced"), there("two", "new", qty=Decimal(12))])
    assert report.numbers() == only(accepted=1, at_venue=1, unexplained=1)
