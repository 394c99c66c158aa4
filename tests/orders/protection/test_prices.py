"""From protective terms to prices: the safe side of the tick, on either side of the market."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.intake.protective import ProtectiveExit
from orders.protection import (
    Protection,
    StopTerms,
    protection_from_dict,
    protection_of,
    protection_to_dict,
    stop_terms,
    target_px,
    usual_tick,
)

CENT = Decimal("0.01")


def number(text: str) -> Decimal:
    return Decimal(text)


@pytest.mark.parametrize(
    ("asked", "is_long", "expected"),
    [
        (ProtectiveExit(price=number("97.123")), True, "97.13"),
        (ProtectiveExit(price=number("103.129")), False, "103.12"),
        (ProtectiveExit(percent=number("2")), True, "98"),
        (ProtectiveExit(percent=number("2")), False, "102"),
        (ProtectiveExit(offset=number("1.5")), True, "98.5"),
        (ProtectiveExit(offset=number("1.5")), False, "101.5"),
        (ProtectiveExit(offset=number("0.001")), True, "99.99"),
        (ProtectiveExit(offset=number("0.001")), False, "100.01"),
    ],
)
def test_stops(asked: ProtectiveExit, is_long: bool, expected: str) -> None:
    stop = stop_terms(
        Protection(stop_loss=asked), entry_px=number("100"), is_long=is_long, tick_at=lambda _: CENT
    )
    assert stop == StopTerms(stop_px=number(expected))


@pytest.mark.parametrize(
    ("asked", "is_long", "expected"),
    [
        (ProtectiveExit(price=number("104.001")), True, "104.01"),
        (ProtectiveExit(percent=number("4")), True, "104"),
        (ProtectiveExit(offset=number("4.009")), False, "95.99"),
        (ProtectiveExit(percent=number("99.9999")), False, "0.01"),
    ],
)
def test_targets(asked: ProtectiveExit, is_long: bool, expected: str) -> None:
    protection = Protection(take_profit=asked)
    assert target_px(protection, entry_px=number("100"), is_long=is_long, tick_at=lambda _: CENT) == number(
        expected
    )


def test_what_was_not_asked_for_has_no_price() -> None:
    nothing = Protection()
    assert stop_terms(nothing, entry_px=number("100"), is_long=True, tick_at=lambda _: CENT) is None
    assert target_px(nothing, entry_px=number("100"), is_long=True, tick_at=lambda _: CENT) is None


def test_a_trailing_stop_keeps_its_distance_as_it_was_given() -> None:
    protection = Protection(trailing=ProtectiveExit(percent=number("1.5")))
    stop = stop_terms(protection, entry_px=number("100"), is_long=True, tick_at=lambda _: CENT)
    assert stop == StopTerms(trail_percent=number("1.5"))


prices = st.decimals(min_value="0.01", max_value="100000", places=9)
ways = st.sampled_from(["percent", "offset"])
amounts = st.decimals(min_value="0.000001", max_value="99", places=6)


@given(prices, ways, amounts, st.booleans(), st.sampled_from([CENT, number("0.05"), number("0.0001")]))
def test_no_more_is_risked_and_no_less_earned_than_was_asked_for(
    entry_px: Decimal, way: str, amount: Decimal, is_long: bool, tick: Decimal
) -> None:
    asked = ProtectiveExit(**{way: amount})
    protection = Protection(stop_loss=asked, take_profit=asked)
    stop = stop_terms(protection, entry_px=entry_px, is_long=is_long, tick_at=lambda _: tick)
    target = target_px(protection, entry_px=entry_px, is_long=is_long, tick_at=lambda _: tick)
    assert stop is not None
    assert stop.stop_px is not None
    assert target is not None
    distance = amount if way == "offset" else entry_px * amount / 100
    sign = 1 if is_long else -1
    assert stop.stop_px % tick == target % tick == 0
    assert stop.stop_px >= tick
    risked, earned = sign * (entry_px - stop.stop_px), sign * (target - entry_px)
    assert risked <= max(distance, tick)
    if target > tick:
        assert earned >= distance
        assert earned - distance < tick
    if stop.stop_px > tick:
        assert risked > 0


def test_the_usual_tick_is_a_cent_and_finer_below_a_dollar() -> None:
    assert usual_tick(number("1")) == CENT
    assert usual_tick(number("0.9999")) == number("0.0001")


exits = st.builds(
    lambda way, value: ProtectiveExit(**{way: value}),
    st.sampled_from(["price", "percent", "offset"]),
    st.decimals(min_value="0.000000001", max_value="1000000", places=9),
)


@given(
    st.builds(
        Protection, stop_loss=st.none() | exits, take_profit=st.none() | exits, trailing=st.none() | exits
    )
)
def test_terms_come_back_from_json_as_they_went(protection: Protection) -> None:
    assert protection_from_dict(protection_to_dict(protection)) == protection


def test_a_strategy_that_takes_no_profit_drops_the_target_only() -> None:
    asked = Protection(
        stop_loss=ProtectiveExit(price=number("9")), take_profit=ProtectiveExit(price=number("11"))
    )
    assert protection_of(asked, places_targets=True) == asked
    assert protection_of(asked, places_targets=False) == Protection(stop_loss=asked.stop_loss)
    only_target = Protection(take_profit=asked.take_profit)
    assert protection_of(only_target, places_targets=False) is None


def test_the_tick_that_counts_is_that_of_the_price_itself() -> None:
    """An entry below a dollar with a target above it: the target is none that a broker would refuse."""
    beyond = Protection(take_profit=ProtectiveExit(offset=number("0.0337")))
    target = target_px(beyond, entry_px=number("0.99"), is_long=True, tick_at=usual_tick)
    assert target == number("1.03")
