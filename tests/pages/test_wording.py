"""An order's state in words, and how numbers and times are written."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.types import OrdStatus
from orders.models import Order
from orders.templatetags.desk import ms, when
from orders.views.wording import event_words, humanise, plain_number, plain_price, words_for

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def order(ord_status: OrdStatus, *, sent_seconds_ago: float = 60) -> Order:
    sent = NOW - timedelta(seconds=sent_seconds_ago)
    return Order(
        ord_status=ord_status,
        order_qty=Decimal("10"),
        cum_qty=Decimal("4"),
        avg_px=Decimal("99.5"),
        submitted_at=sent,
        recorded_at=sent,
    )


@pytest.mark.parametrize("ord_status", list(OrdStatus))
def test_every_status_has_words(ord_status: OrdStatus) -> None:
    words = words_for(order(ord_status), NOW)
    assert words.label
    assert words.sentence.endswith(".")
    assert words.tone in {"waiting", "working", "good", "bad", "ended", "unknown"}


@pytest.mark.parametrize(("seconds", "label"), [(0.5, "Sent"), (4.9, "Sent"), (5.1, "Outcome unknown")])
def test_an_answer_that_does_not_come_makes_the_outcome_unknown(seconds: float, label: str) -> None:
    assert words_for(order(OrdStatus.SUBMITTED, sent_seconds_ago=seconds), NOW).label == label


def test_an_order_that_waits_for_the_open_says_when_that_is() -> None:
    waiting = order(OrdStatus.INITIALIZED)
    waiting.reason, waiting.text = "MARKET_CLOSED", "The exchange is closed; it opens on Monday."
    words = words_for(waiting, NOW)
    assert (words.tone, words.label) == ("waiting", "Waits for the open")
    assert words.sentence.startswith("The exchange is closed; it opens on Monday. ")


def test_an_order_filled_beyond_its_quantity_says_so() -> None:
    filled = order(OrdStatus.FILLED)
    filled.cum_qty = Decimal("11")
    assert words_for(filled, NOW).sentence == "11 of 10 filled at 99.50 on average."


@pytest.mark.parametrize(
    ("number", "plain", "price"),
    [
        ("1000.500000000", "1000.5", "1000.50"),
        ("100", "100", "100.00"),
        ("0.000000001", "0.000000001", "0.000000001"),
        ("1E+3", "1000", "1000.00"),
        ("0E-9", "0", "0.00"),
    ],
)
def test_numbers(number: str, plain: str, price: str) -> None:
    assert plain_number(Decimal(number)) == plain
    assert plain_price(Decimal(number)) == price


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("NO_WORKER_FREE", "No worker free"),
        ("StatusReport", "Status report"),
        ("too-old", "Too old"),
        ("", ""),
    ],
)
def test_codes_become_words(code: str, words: str) -> None:
    assert humanise(code) == words


def test_an_event_that_nobody_has_words_for_is_still_named() -> None:
    assert event_words("SomethingNew") == "Something new"


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0 ms"), (999.94, "999.9 ms"), (1500.4, "1,500 ms"), (12_345, "12.3 s")]
)
def test_milliseconds(value: float, text: str) -> None:
    assert ms(value) == text


def test_a_moment_that_is_none_is_blank() -> None:
    assert when(None) == ""
