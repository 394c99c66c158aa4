from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.intake.strict_json import BodyTooLarge, MalformedBody, NumberText, parse_object

HOSTILE = {
    "empty": b"",
    "white space": b" \n",
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "invalid utf-8": b'{"a":"\xff"}',
    "overlong utf-8": b'{"a":"\xc0\x80"}',
    "surrogate in utf-8": b'{"a":"\xed\xa0\x80"}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "plus": b'{"a":+5}',
    "hex": b'{"a":0x1}',
    "underscore": b'{"a":1_0}',
    "leading zero": b'{"a":010}',
    "full-width digits": '{"a":１０}'.encode(),
    "duplicate key": b'{"a":1,"b":2,"a":1}',
    "duplicate key by escape": b'{"a":1,"\\u0061":1}',
    "duplicate key below": b'{"a":{"b":1,"b":1}}',
    "list": b"[]",
    "string": b'"a"',
    "number": b"1",
    "null": b"null",
    "two objects": b"{}{}",
    "trailing comma": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "raw control character": b'{"a":"\n"}',
    "raw NUL": b'{"a":"\x00"}',
    "NUL after the object": b'{"a":1}\x00',
    "escaped NUL": b'{"a":"\\u0000"}',
    "escaped NUL in a key": b'{"\\u0000":1}',
    "escaped NUL below": b'{"a":[{"b":"x\\u0000"}]}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "lone surrogate in a key": b'{"a":{"\\udfff":1}}',
    "swapped surrogates": b'{"a":"\\udc00\\ud800"}',
    "100,000 open brackets": b"[" * 100_000,
    "60,000 open brackets": b"[" * 60_000,
    "60,000 open brackets in a field": b'{"a":' + b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "unterminated string of escaped quotes": b'\\"' * 32_000,
    "10 MB": b'{"a":"' + b"x" * 10_000_000 + b'"}',
    "plain text": b"buy AAPL",
    "form": b"action=buy&symbol=AAPL",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bodies_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedBody) as caught:
        parse_object(raw)
    assert len(caught.value.detail) < 200


def test_length_is_checked_before_anything_else() -> None:
    with pytest.raises(BodyTooLarge):
        parse_object(b"[" * 65_537)
    exact = b'{"a":"' + b"x" * (65_536 - 8) + b'"}'
    assert len(exact) == 65_536
    assert parse_object(exact)


@pytest.mark.parametrize("brackets", ["[[]]", '{"a":{}}'])
def test_depth_is_the_limit_and_not_one_less(brackets: str) -> None:
    raw = f'{{"a":{brackets}}}'.encode()
    assert parse_object(raw, max_depth=3)
    with pytest.raises(MalformedBody, match="2 levels"):
        parse_object(raw, max_depth=2)


def test_brackets_in_strings_and_siblings_are_not_depth() -> None:
    raw = json.dumps({"a": '[[[["{{{{\\', "b": [[]] * 50, "c\\": '}}}}]]]]["'}).encode()
    assert parse_object(raw, max_depth=3)["a"] == '[[[["{{{{\\'


def test_a_byte_order_mark_is_told_as_such() -> None:
    with pytest.raises(MalformedBody, match="byte order mark"):
        parse_object(HOSTILE["byte order mark"])


def test_the_depth_scan_is_linear_in_a_string_that_never_ends() -> None:
    start = time.perf_counter()
    with pytest.raises(MalformedBody):
        parse_object(b'{"a":"' + b"[]" * 20 + b'\\"' * 32_000)
    assert time.perf_counter() - start < 1.0  # quadratic, this takes many seconds


def test_numbers_stay_as_they_were_written() -> None:
    numbers = parse_object(b'{"a":1.10,"b":1e309,"c":-0,"d":123456789012345678901234567890}')
    assert numbers == {"a": "1.10", "b": "1e309", "c": "-0", "d": "123456789012345678901234567890"}
    assert all(isinstance(number, NumberText) for number in numbers.values())
    assert not isinstance(parse_object(b'{"a":"1"}')["a"], NumberText)


def test_surrogate_pairs_and_non_ascii_are_text() -> None:
    assert parse_object('{"a":"\\ud83d\\ude00 é 台"}'.encode()) == {"a": "😀 é 台"}


def test_duplicate_key_is_named_and_shortened() -> None:
    with pytest.raises(MalformedBody) as caught:
        parse_object(b'{"qty":1,"qty":2}')
    assert caught.value.field == "qty"
    long = b'"' + b"k" * 5_000 + b'":1'
    with pytest.raises(MalformedBody) as caught:
        parse_object(b"{" + long + b"," + long + b"}")
    assert caught.value.field is not None
    assert len(caught.value.field) < 80


def test_duplicate_key_with_half_a_surrogate_can_still_be_answered() -> None:
    with pytest.raises(MalformedBody) as caught:
        parse_object(b'{"\\ud800":1,"\\ud800":1}')
    assert caught.value.field == "?"


def test_values_are_not_in_the_detail() -> None:
    with pytest.raises(MalformedBody) as caught:
        parse_object(b'{"secret":"hunter2", oops}')
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


JSON_ISH = st.text(alphabet='{}[]",:\\u0dDcC8+-.eE1NaInfty \n', max_size=60)


@given(st.one_of(st.binary(max_size=200), JSON_ISH.map(str.encode), st.text(max_size=80).map(str.encode)))
def test_arbitrary_bytes_are_an_object_or_malformed(raw: bytes) -> None:
    try:
        value = parse_object(raw)
    except MalformedBody:
        return
    assert isinstance(value, dict)
    assert json.loads(raw).keys() == value.keys()


STORABLE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), STORABLE),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(STORABLE, inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.dictionaries(STORABLE, VALUES, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_valid_objects_round_trip(body: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse_object(raw, max_depth=64) == body


@given(st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:e}"))
def test_number_text_round_trips(text: str) -> None:
    assert parse_object(f'{{"n":{text}}}'.encode()) == {"n": text}


@given(st.integers(1, 40), st.integers(1, 40))
def test_depth_cap_agrees_with_the_real_depth(depth: int, cap: int) -> None:
    raw = (b'{"a":' * depth) + b"1" + b"}" * depth
    try:
        parse_object(raw, max_depth=cap)
    except MalformedBody:
        assert depth > cap
    else:
        assert depth <= cap
