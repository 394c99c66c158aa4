"""Prices on the tick: never worse for the trader, never farther off than a tick."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.ticks import tick_at
from brokers.types import PositionEffect, Side
from orders.intake.ticks import Purpose, round_price

TICKS = [Decimal(text) for text in ("0.0001", "0.01", "0.05", "0.25", "0.03", "1", "0.000000001")]
prices = st.decimals("0.000000001", 10**11, places=9)
ticks = st.sampled_from(TICKS)
ALPACA = ((Decimal(0), Decimal("0.0001")), (Decimal(1), Decimal("0.01")))


@given(prices, ticks, st.sampled_from(Side), st.sampled_from(Purpose))
def test_the_nearest_multiple_on_one_side(
    price: Decimal, tick: Decimal, side: Side, purpose: Purpose
) -> None:
    rounded = round_price(price, tick, side=side, purpose=purpose)
    assert rounded % tick == 0
    assert abs(rounded - price) < tick
    assert round_price(rounded, tick, side=side, purpose=purpose) == rounded


@given(prices, ticks)
def test_a_limit_is_never_worse_than_asked(price: Decimal, tick: Decimal) -> None:
    assert round_price(price, tick, side=Side.BUY, purpose=Purpose.LIMIT) <= price
    assert round_price(price, tick, side=Side.SELL, purpose=Purpose.LIMIT) >= price


@given(prices, ticks)
def test_a_protective_stop_is_never_farther_than_asked(price: Decimal, tick: Decimal) -> None:
    """A long's stop sells below the market, a short's buys above it."""
    assert round_price(price, tick, side=Side.SELL, purpose=Purpose.STOP_EXIT) >= price
    assert round_price(price, tick, side=Side.BUY, purpose=Purpose.STOP_EXIT) <= price


@given(prices, ticks)
def test_a_stop_that_enters_never_does_so_before_the_price_is_reached(price: Decimal, tick: Decimal) -> None:
    assert round_price(price, tick, side=Side.BUY, purpose=Purpose.STOP_ENTRY) >= price
    assert round_price(price, tick, side=Side.SELL, purpose=Purpose.STOP_ENTRY) <= price


@pytest.mark.parametrize("tick", ["0", "-0.01", "NaN", "Infinity"])
def test_a_tick_is_above_zero(tick: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        round_price(Decimal(1), Decimal(tick), side=Side.BUY, purpose=Purpose.LIMIT)


def test_the_purpose_of_a_stop_is_that_of_its_order() -> None:
    assert Purpose.of_stop(PositionEffect.OPEN) is Purpose.STOP_ENTRY
    assert Purpose.of_stop(PositionEffect.CLOSE) is Purpose.STOP_EXIT


@pytest.mark.parametrize(
    ("price", "tick"), [("0.0001", "0.0001"), ("0.9999", "0.0001"), ("1", "0.01"), ("250", "0.01")]
)
def test_the_tick_depends_on_the_price(price: str, tick: str) -> None:
    assert tick_at(ALPACA, Decimal(price)) == Decimal(tick)


def test_a_rule_that_says_nothing_of_a_price_is_an_error() -> None:
    with pytest.raises(ValueError, match="no tick"):
        tick_at(ALPACA[1:], Decimal("0.5"))
