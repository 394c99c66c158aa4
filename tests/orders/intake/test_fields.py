from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.intake.fields import (
    MAX_ERRORS,
    QUANTITY,
    BadValue,
    FieldCode,
    FieldReader,
    NumberLimits,
    Ticker,
    to_decimal,
    to_text,
    to_ticker,
    to_word,
)
from orders.intake.strict_json import JsonValue, NumberText


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10", "10"),
        (NumberText("10"), "10"),
        ("10.50", "10.50"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("25e-1", "2.5"),
        ("0.000000001", "0.000000001"),
        ("0.1000000000000", "0.100000000"),
        ("999999999999.999999999", "999999999999.999999999"),
    ],
)
def test_quantities(value: str, expected: str) -> None:
    assert f"{to_decimal(value, QUANTITY):f}" == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1_0", FieldCode.BAD_FORMAT),
        (" 10", FieldCode.BAD_FORMAT),
        ("10 ", FieldCode.BAD_FORMAT),
        ("10\n", FieldCode.BAD_FORMAT),
        ("１０", FieldCode.BAD_FORMAT),
        ("١٠", FieldCode.BAD_FORMAT),
        ("+5", FieldCode.BAD_FORMAT),
        ("0x1", FieldCode.BAD_FORMAT),
        ("010", FieldCode.BAD_FORMAT),
        (".5", FieldCode.BAD_FORMAT),
        ("5.", FieldCode.BAD_FORMAT),
        ("1,5", FieldCode.BAD_FORMAT),
        ("", FieldCode.BAD_FORMAT),
        ("NaN", FieldCode.BAD_FORMAT),
        ("Infinity", FieldCode.BAD_FORMAT),
        ("{{strategy.order.contracts}}", FieldCode.BAD_FORMAT),
        ("1e309", FieldCode.BAD_FORMAT),
        (NumberText("1e309"), FieldCode.BAD_FORMAT),
        (NumberText("1e-400"), FieldCode.BAD_FORMAT),
        ("1" * 41, FieldCode.BAD_FORMAT),
        ("1e99", FieldCode.OUT_OF_RANGE),
        ("1000000000000", FieldCode.OUT_OF_RANGE),
        ("0", FieldCode.OUT_OF_RANGE),
        ("-0", FieldCode.OUT_OF_RANGE),
        ("0e99", FieldCode.OUT_OF_RANGE),
        ("-1", FieldCode.OUT_OF_RANGE),
        ("1e-10", FieldCode.TOO_PRECISE),
        ("1e-99", FieldCode.TOO_PRECISE),
        ("0.1234567891", FieldCode.TOO_PRECISE),
        (True, FieldCode.WRONG_TYPE),
        (None, FieldCode.WRONG_TYPE),
        ([NumberText("1")], FieldCode.WRONG_TYPE),
        ({}, FieldCode.WRONG_TYPE),
    ],
)
def test_what_is_no_quantity(value: JsonValue, code: FieldCode) -> None:
    with pytest.raises(BadValue) as caught:
        to_decimal(value, QUANTITY)
    assert caught.value.code is code


@given(st.decimals(min_value="0.000000001", max_value="999999999999", places=9))
def test_every_quantity_in_range_is_taken_exactly(number: Decimal) -> None:
    assert to_decimal(f"{number:f}", QUANTITY) == number


@given(st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_numbers_are_exact_or_refused(text: str) -> None:
    try:
        number = to_decimal(text, QUANTITY)
    except BadValue:
        return
    assert number == Decimal(text)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -9 <= exponent <= 0


def test_signed_limits_and_zero() -> None:
    signed = NumberLimits(Decimal(-10), Decimal(10), 2)
    assert str(to_decimal("-3", signed)) == "-3"
    assert str(to_decimal("-0.000", signed)) == "0"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("AAPL", Ticker(None, "AAPL")),
        ("aapl", Ticker(None, "AAPL")),
        ("NASDAQ:AAPL", Ticker("NASDAQ", "AAPL")),
        ("binance:btcusdt.p", Ticker("BINANCE", "BTCUSDT.P")),
        ("BTC/USD", Ticker(None, "BTC/USD")),
        ("TWSE:2330", Ticker("TWSE", "2330")),
        ("A" * 32, Ticker(None, "A" * 32)),
    ],
)
def test_tickers(value: str, expected: Ticker) -> None:
    assert to_ticker(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "AAPL ",
        "A:B:C",
        "NASDAQ:",
        ":AAPL",
        "-A",
        "A" * 33,
        "ＡＡＰＬ",
        "ß",
        "ıbm",
        "AAPL\n",
        "A'--",
        NumberText("2330"),
        True,
        None,
        ["AAPL"],
        "{{ticker}}",
    ],
)
def test_what_is_no_ticker(value: JsonValue) -> None:
    with pytest.raises(BadValue):
        to_ticker(value)


def test_text() -> None:
    assert to_text("", max_length=3, blank=True) == ""
    assert to_text("äöü", max_length=3) == "äöü"
    for value in ("", "  ", "four", NumberText("1"), True, None):
        with pytest.raises(BadValue):
            to_text(value, max_length=3)


def test_words_are_ascii_in_any_case() -> None:
    assert to_word("MarKet", {"market": 1}) == 1
    for value in ("mar\u212aet", "market ", "", NumberText("1"), False):  # U+212A lowers to a plain k
        with pytest.raises(BadValue):
            to_word(value, {"market": 1})


def test_aliases_agree_or_conflict() -> None:
    same = FieldReader({"a": "1", "b": NumberText("1.0")}, frozenset("ab"))
    assert same.read(lambda value: to_decimal(value, QUANTITY), "a", "b") == 1
    assert same.errors == []
    differ = FieldReader({"a": "1", "b": "2"}, frozenset("ab"))
    assert differ.read(lambda value: to_decimal(value, QUANTITY), "a", "b") is None
    assert [(error.field, error.code) for error in differ.errors] == [("a", FieldCode.CONFLICT)]


def test_an_alias_that_is_wrong_is_not_hidden_by_one_that_is_right() -> None:
    reader = FieldReader({"a": "1", "b": "x"}, frozenset("ab"))
    reader.read(lambda value: to_decimal(value, QUANTITY), "a", "b")
    assert [error.field for error in reader.errors] == ["b"]


def test_null_is_the_same_as_missing() -> None:
    reader = FieldReader({"a": None}, frozenset("a"))
    assert reader.read(lambda value: to_text(value, max_length=9), "a") is None
    assert reader.errors == []
    reader.read(lambda value: to_text(value, max_length=9), "a", required=True)
    assert [error.code for error in reader.errors] == [FieldCode.REQUIRED]


def test_errors_are_capped() -> None:
    reader = FieldReader({f"x{number}": None for number in range(5_000)}, frozenset())
    assert len(reader.errors) == MAX_ERRORS
    reader.refuse("y", FieldCode.UNKNOWN, "is not known")
    reader.adopt("z", list(reader.errors))
    assert len(reader.errors) == MAX_ERRORS
    assert reader.failed("y")
