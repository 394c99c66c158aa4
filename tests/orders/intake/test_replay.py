from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orders.intake.replay import canonical_json, replay_key
from orders.intake.strict_json import parse_object


def key_of(raw: str) -> str:
    return replay_key(None, parse_object(raw.encode()))


def test_key_order_and_white_space_make_no_difference() -> None:
    assert key_of('{"a":1,"b":{"d":2,"c":[1,"x"]}}') == key_of('{ "b" : {"c":[1, "\\u0078"],"d":2},\n"a":1}')


def test_what_makes_another_alert() -> None:
    keys = {
        key_of(raw)
        for raw in (
            '{"a":1}',
            '{"a":"1"}',
            '{"a":1.0}',
            '{"a":[1]}',
            '{"a":null}',
            '{"a":true}',
            '{"b":1}',
            "{}",
        )
    }
    assert len(keys) == 8


def test_the_order_of_a_list_counts() -> None:
    assert key_of('{"a":[1,2]}') != key_of('{"a":[2,1]}')


def test_the_secret_does_not_count_but_a_field_below_does() -> None:
    assert key_of('{"a":1,"secret":"x"}') == key_of('{"a":1}') == key_of('{"secret":"y","a":1}')
    assert key_of('{"a":{"secret":"x"}}') != key_of('{"a":{"secret":"y"}}')


def test_an_id_is_the_key_and_cannot_look_like_a_digest() -> None:
    body = parse_object(b'{"a":1}')
    assert replay_key("x", body) == "id:x" == replay_key("x", {})
    assert replay_key(replay_key(None, body), {}) != replay_key(None, body)
    assert len(replay_key("x" * 200, body)) == 203


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    body = parse_object('{"\ufb33":1,"😀":2,"é":3,"1":4}'.encode())
    assert canonical_json(body) == '{"1":4,"é":3,"😀":2,"\ufb33":1}'


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(codec="utf-8"), max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abé😀", max_size=2), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcé😀", max_size=3), VALUES, max_size=5), st.randoms())
def test_canonical_json_means_the_same_and_is_stable(body: dict[str, Any], random: Any) -> None:
    body = json.loads(json.dumps(body).replace("\\u0000", "0"))
    members = list(body.items())
    random.shuffle(members)
    parsed = parse_object(json.dumps(body).encode())
    shuffled = parse_object(json.dumps(dict(members), indent=1, ensure_ascii=False).encode())
    assert json.loads(canonical_json(parsed)) == body
    assert canonical_json(parsed) == canonical_json(shuffled)
