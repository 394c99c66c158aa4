"""What is known of a symbol: kept in the process, and what orders make of it."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from brokers.types import PositionEffect, Side
from orders.intake.gates import check_instrument
from orders.intake.problem import ProblemError, ProblemType
from orders.intake.sizing import SizingError
from orders.models import OrderEvent
from orders.services import instruments
from orders.services.instruments import fit_prices, forget_instruments, instrument_of, is_catalogue_complete
from tests.factories.alerts import make_alert, record_manual, record_one
from tests.factories.instruments import WHOLE, keep, listing
from tests.factories.requests import replace
from tests.factories.sending import at_broker, hold
from tests.factories.traders import Desk, make_account

pytestmark = pytest.mark.django_db

D = Decimal


# --- kept ---


def test_a_symbol_is_read_once_a_minute_known_or_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    keep("paper", listing("AAPL"))
    for symbol in ("AAPL", "NONE"):
        with CaptureQueriesContext(connection) as queries:
            first = instrument_of(desk.account, symbol)
            assert instrument_of(desk.account, symbol) is first
        assert len(queries) == 1
    monkeypatch.setattr(instruments, "KEPT_SECONDS", -1.0)
    forget_instruments()
    with CaptureQueriesContext(connection) as queries:
        instrument_of(desk.account, "AAPL")
        instrument_of(desk.account, "AAPL")
    assert len(queries) == 2


def test_a_warm_alert_pays_no_round_trip_for_instruments(desk: Desk) -> None:
    """The catalogue that is loaded costs what none costs, once a process knows the symbol."""

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            alert = make_alert(desk, type="limit", price="100.004")
            check_instrument(desk.account, alert, ProblemType.INVALID_ALERT)
            record_one(desk, type="limit", price="100.004")
        return len(queries)

    statements()
    without = statements()
    keep("paper", listing("AAPL"))
    statements()
    assert statements() == without


def test_what_is_kept_does_not_grow_for_ever(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "MOST_KEPT", 3)
    for number in range(10):
        instrument_of(desk.account, f"S{number}")
        assert len(instruments._kept) <= 3


# --- the gate ---


def refused(desk: Desk, **fields: str) -> tuple[str, str] | None:
    """Return the code of the refusal and the field that it names; None where the alert passes."""
    try:
        check_instrument(desk.account, make_alert(desk, **fields), ProblemType.INVALID_ALERT)
    except ProblemError as error:
        assert error.problem.status == 400
        return error.problem.extra["reason"], error.problem.errors[0].field
    return None


@pytest.fixture
def live(desk: Desk) -> Desk:
    """A desk at a broker that lists all it trades."""
    return dataclasses.replace(desk, account=make_account(desk.user, broker="alpaca", simulation=False))


def test_nothing_is_refused_before_a_catalogue_was_read(live: Desk) -> None:
    assert refused(live, symbol="NONE") is None


def test_a_symbol_that_the_broker_does_not_list(live: Desk) -> None:
    keep("alpaca", listing("AAPL"))
    forget_instruments()
    assert refused(live, symbol="APPL") == ("UNKNOWN_SYMBOL", "symbol")
    assert refused(live, symbol="AAPL") is None
    assert refused(live, symbol="APPL", action="close_long") is None


def test_a_broker_that_does_not_list_everything_decides_itself(desk: Desk) -> None:
    keep("paper", listing("AAPL"))
    assert not is_catalogue_complete(desk.account)
    assert refused(desk, symbol="ZZZ") is None


def test_what_is_not_tradable_is_refused_and_can_be_left(desk: Desk) -> None:
    keep("paper", listing("AAPL", tradable=False))
    assert refused(desk) == ("NOT_TRADABLE", "symbol")
    for action in ("close_long", "close_short", "long_exit", "short_exit"):
        assert refused(desk, action=action) is None


def test_what_cannot_be_borrowed_is_not_sold_short(desk: Desk) -> None:
    keep("paper", listing("AAPL", shortable=False))
    assert refused(desk, action="sell") == ("NOT_SHORTABLE", "symbol")
    assert refused(desk, action="buy") is None
    assert refused(desk, action="long_exit") is None


@pytest.mark.parametrize("multiplier", ["100", "0.001"])
def test_what_stands_for_more_or_less_than_one_unit_is_not_entered_and_can_be_left(
    desk: Desk, multiplier: str
) -> None:
    keep("paper", listing("AAPL", multiplier=Decimal(multiplier)))
    for action in ("buy", "sell"):
        assert refused(desk, action=action) == ("UNSUPPORTED_MULTIPLIER", "symbol")
    for action in ("close_long", "close_short", "long_exit", "short_exit"):
        assert refused(desk, action=action) is None


def test_a_price_of_less_than_a_tick_is_none(desk: Desk) -> None:
    keep("paper", listing("AAPL"))
    assert refused(desk, type="limit", price="0.00009") == ("BELOW_TICK", "price")
    assert refused(desk, type="limit", price="0.0001") is None


# --- quantities ---


def test_an_entry_is_rounded_down_to_the_symbols_step(desk: Desk) -> None:
    keep("paper", listing("AAPL", **WHOLE), listing("MSFT"))
    assert record_one(desk, quantity="2.9").order_qty == 2
    assert record_one(desk, quantity="2.9", symbol="MSFT").order_qty == D("2.9")
    assert record_manual(desk, side="buy", quantity="1.5").order_qty == 1


def test_a_short_sale_goes_in_whole_lots(desk: Desk) -> None:
    keep("paper", listing("AAPL"))
    assert record_one(desk, action="sell", quantity="2.9").order_qty == 2


@pytest.mark.parametrize(("quantity", "code"), [("0.5", "BELOW_STEP"), ("3", "BELOW_MINIMUM")])
def test_too_little_is_refused_and_never_becomes_nothing(desk: Desk, quantity: str, code: str) -> None:
    keep("paper", listing("AAPL", **(WHOLE | {"min_qty": D(5)})))
    with pytest.raises(SizingError) as refusal:
        record_one(desk, quantity=quantity)
    assert refusal.value.code == code


def test_an_exit_closes_what_there_is_whatever_the_step(desk: Desk) -> None:
    hold(desk, "2.5")
    keep("paper", listing("AAPL", tradable=False, shortable=False, **(WHOLE | {"min_qty": D(5)})))
    assert record_one(desk, action="close_long").order_qty == D("2.5")


# --- prices ---


@pytest.mark.parametrize(
    ("fields", "price", "stop_px"),
    [
        ({"action": "buy", "type": "limit", "price": "100.019"}, "100.01", None),
        ({"action": "sell", "type": "limit", "price": "100.011"}, "100.02", None),
        ({"action": "buy", "type": "stop", "stop_price": "100.011"}, None, "100.02"),
        ({"action": "sell", "type": "stop", "stop_price": "100.019"}, None, "100.01"),
        ({"action": "buy", "type": "limit", "price": "0.12349"}, "0.1234", None),
        ({"action": "buy", "type": "limit", "price": "100.01"}, "100.01", None),
    ],
)
def test_a_price_goes_to_the_tick_and_the_history_keeps_what_was_asked(
    desk: Desk, fields: dict[str, str], price: str | None, stop_px: str | None
) -> None:
    keep("paper", listing("AAPL"))
    order = record_one(desk, **fields)
    assert (order.price, order.stop_px) == (price and D(price), stop_px and D(stop_px))
    recorded = OrderEvent.objects.get(order=order, kind="Recorded").data
    given = {"asked_price": fields.get("price"), "asked_stop_px": fields.get("stop_price")}
    moved = {"asked_price": price, "asked_stop_px": stop_px}
    assert {name: recorded.get(name) for name in given} == {
        name: None if given[name] == moved[name] else given[name] for name in given
    }


def test_a_stop_that_protects_is_rounded_to_the_near_side(desk: Desk) -> None:
    hold(desk, "5")
    keep("paper", listing("AAPL"))
    order = record_one(desk, action="long_exit", type="stop", stop_price="90.001")
    assert order.stop_px == D("90.01")


def test_without_a_catalogue_prices_are_left_alone(desk: Desk) -> None:
    assert record_one(desk, type="limit", price="100.019").price == D("100.019")


def test_an_exit_below_a_tick_goes_as_it_is(desk: Desk) -> None:
    keep("paper", listing("AAPL"))
    fitted = fit_prices(
        desk.account,
        "AAPL",
        side=Side.BUY,
        effect=PositionEffect.CLOSE,
        price=D("0.00001"),
        stop_px=None,
    )
    assert (fitted.price, fitted.asked) == (D("0.00001"), {})


def test_a_replaces_prices_are_rounded_like_an_orders(desk: Desk) -> None:
    order = at_broker(desk)
    keep("paper", listing("AAPL", **WHOLE))
    assert replace(order, price="99.999").price == D("99.99")
