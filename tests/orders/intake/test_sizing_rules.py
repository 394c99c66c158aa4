"""Sizing by rule: never more than was asked for, on the step, within the limits, never nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from brokers.types import Side
from orders.intake.protective import ProtectiveExit
from orders.intake.sizing import SizingCode, SizingError
from orders.intake.sizing_rules import (
    Basis,
    Limits,
    SizingMethod,
    SizingRule,
    check_amount,
    part_of_position,
    size_by_rule,
    stop_distance,
)

D = Decimal
STEPS = st.sampled_from([D("0.000000001"), D("0.001"), D("0.25"), D(1), D(3), D(100)])
PRICES = st.decimals("0.0001", 10**6, places=4)
AMOUNTS = st.decimals("0.01", 10**8, places=2)
PERCENTS = st.decimals("0.01", 100, places=2)
MULTIPLIERS = st.sampled_from([D(1), D(50), D(100), D("0.001")])
METHODS = st.sampled_from([method for method in SizingMethod if method is not SizingMethod.FIXED])


@st.composite
def bases(draw: st.DrawFn) -> Basis:
    return Basis(
        price=draw(PRICES),
        multiplier=draw(MULTIPLIERS),
        equity=draw(AMOUNTS),
        stop_distance=draw(PRICES),
    )


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    step = draw(STEPS)
    return Limits(
        lot_step=step,
        min_qty=step,
        max_qty=draw(st.none() | st.decimals("0.001", 10**6, places=3)),
        max_notional=draw(st.none() | AMOUNTS),
    )


def worth(rule: SizingRule, quantity: Decimal, basis: Basis) -> tuple[Fraction, Fraction]:
    """Return what the quantity costs or risks, and what the rule allows, exact: by fractions, unlike the code."""
    assert basis.equity is not None and basis.stop_distance is not None
    unit = basis.stop_distance if rule.method.name.startswith("RISK") else basis.price
    share = Fraction(basis.equity) / 100 if rule.method.needs_equity else 1
    return Fraction(quantity) * Fraction(unit) * Fraction(basis.multiplier), Fraction(rule.value) * share


def sized(rule: SizingRule, basis: Basis, bounds: Limits) -> Decimal | None:
    """Return the quantity; None where there is too little for one step."""
    try:
        return size_by_rule(rule, basis, bounds)
    except SizingError as error:
        assume(error.code is not SizingCode.ABOVE_MAXIMUM)  # more than any quantity may be
        assert error.code is SizingCode.BELOW_STEP
        return None


@given(METHODS, PERCENTS, bases(), limits())
def test_never_above_the_amount_or_the_risk_nor_a_limit(
    method: SizingMethod, value: Decimal, basis: Basis, bounds: Limits
) -> None:
    rule = SizingRule(method, value)
    quantity = sized(rule, basis, bounds)
    assume(quantity is not None)
    assert quantity is not None and quantity > 0
    assert quantity % bounds.lot_step == 0
    costs, allowed = worth(rule, quantity, basis)
    assert costs <= allowed
    assert bounds.max_qty is None or quantity <= bounds.max_qty
    amount = Fraction(quantity) * Fraction(basis.price) * Fraction(basis.multiplier)
    assert bounds.max_notional is None or amount <= Fraction(bounds.max_notional)


@given(METHODS, PERCENTS, bases(), STEPS)
def test_one_step_more_would_be_too_much(
    method: SizingMethod, value: Decimal, basis: Basis, step: Decimal
) -> None:
    rule = SizingRule(method, value)
    quantity = sized(rule, basis, Limits(lot_step=step, min_qty=step))
    costs, allowed = worth(rule, (quantity or D(0)) + step, basis)
    assert costs > allowed


@given(METHODS, PERCENTS, PERCENTS, bases(), limits())
def test_a_larger_value_is_never_a_smaller_quantity(
    method: SizingMethod, one: Decimal, other: Decimal, basis: Basis, bounds: Limits
) -> None:
    less, more = (sized(SizingRule(method, value), basis, bounds) for value in sorted((one, other)))
    assert less is None or more is None or less <= more
    if less is not None:
        assert more is not None


@given(METHODS, PERCENTS, PRICES, bases(), limits())
def test_a_higher_price_or_a_wider_stop_is_never_a_larger_quantity(
    method: SizingMethod, value: Decimal, other: Decimal, basis: Basis, bounds: Limits
) -> None:
    field = "stop_distance" if method.needs_stop else "price"
    bounds = replace(bounds, max_notional=None)
    low, high = (
        sized(SizingRule(method, value), replace(basis, **{field: number}), bounds)
        for number in sorted((getattr(basis, field), other))
    )
    assert low is None or high is None or low >= high


@pytest.mark.parametrize(
    ("method", "value", "quantity"),
    [
        ("CASH", "1000", "10"),
        ("CASH", "1099.99", "10"),
        ("PERCENT_OF_EQUITY", "2.5", "25"),
        ("RISK_AMOUNT", "100", "20"),
        ("RISK_PERCENT", "1", "200"),
        ("FIXED", "7", "7"),
    ],
)
def test_what_the_rules_mean(method: str, value: str, quantity: str) -> None:
    basis = Basis(price=D(100), equity=D(100_000), stop_distance=D(5))
    rule = SizingRule(SizingMethod(method), D(value))
    assert size_by_rule(rule, basis, Limits(lot_step=D(1), min_qty=D(1))) == D(quantity)


def test_a_multiplier_makes_each_unit_dearer() -> None:
    basis = Basis(price=D(100), multiplier=D(50), stop_distance=D(2))
    bounds = Limits(lot_step=D(1), min_qty=D(1))
    assert size_by_rule(SizingRule(SizingMethod.CASH, D(20_000)), basis, bounds) == 4
    assert size_by_rule(SizingRule(SizingMethod.RISK_AMOUNT, D(1_000)), basis, bounds) == 10


@pytest.mark.parametrize(
    ("method", "value", "bounds", "code"),
    [
        ("CASH", "99", {}, "BELOW_STEP"),
        ("CASH", "450", {"min_qty": D(5)}, "BELOW_MINIMUM"),
        ("CASH", "450", {"min_notional": D(401)}, "BELOW_MINIMUM"),
        ("FIXED", "11", {"max_qty": D(10)}, "ABOVE_MAXIMUM"),
        ("FIXED", "11", {"max_notional": D(1000)}, "ABOVE_MAXIMUM"),
        ("RISK_AMOUNT", "100", {}, "NO_STOP"),
        ("PERCENT_OF_EQUITY", "1", {}, "NO_EQUITY"),
        ("CASH", "1e15", {}, "ABOVE_MAXIMUM"),
    ],
)
def test_what_cannot_be_sized_is_said_in_words(
    method: str, value: str, bounds: dict[str, Decimal], code: str
) -> None:
    with pytest.raises(SizingError) as refusal:
        size_by_rule(
            SizingRule(SizingMethod(method), D(value)),
            Basis(price=D(100)),
            Limits(**({"lot_step": D(1), "min_qty": D(1)} | bounds)),
        )
    assert refusal.value.code == code
    assert refusal.value.message


def test_a_rule_is_cut_to_a_maximum_where_a_named_quantity_is_refused() -> None:
    basis, bounds = Basis(price=D(100)), Limits(lot_step=D(1), min_qty=D(1), max_qty=D(10))
    assert size_by_rule(SizingRule(SizingMethod.CASH, D(5000)), basis, bounds) == 10
    bounds = Limits(lot_step=D(1), min_qty=D(1), max_notional=D(950))
    assert size_by_rule(SizingRule(SizingMethod.CASH, D(5000)), basis, bounds) == 9


def test_the_amount_of_a_settled_quantity() -> None:
    basis, bounds = Basis(price=D(100)), Limits(lot_step=D(1), min_qty=D(1), max_notional=D(1000))
    check_amount(D(10), basis, bounds)
    with pytest.raises(SizingError, match="an amount of 1100 is above the maximum of 1000"):
        check_amount(D(11), basis, bounds)


# --- the stop ---


@pytest.mark.parametrize(
    ("side", "stop", "distance"),
    [
        (Side.BUY, {"price": D(95)}, "5"),
        (Side.SELL, {"price": D(104)}, "4"),
        (Side.BUY, {"percent": D("2.5")}, "2.5"),
        (Side.SELL, {"offset": D("1.25")}, "1.25"),
    ],
)
def test_the_distance_of_a_stop(side: Side, stop: dict[str, Decimal], distance: str) -> None:
    assert stop_distance(D(100), ProtectiveExit(**stop), side) == D(distance)


@pytest.mark.parametrize(
    ("side", "price", "word"),
    [(Side.BUY, "100", "below"), (Side.BUY, "101", "below"), (Side.SELL, "99", "above")],
)
def test_a_stop_on_the_wrong_side_protects_nothing(side: Side, price: str, word: str) -> None:
    with pytest.raises(SizingError, match=f"is not {word} the price of 100") as refusal:
        stop_distance(D(100), ProtectiveExit(price=D(price)), side)
    assert refusal.value.code is SizingCode.STOP_ON_WRONG_SIDE


# --- exits ---


@given(st.decimals("0.000000001", 10**6, places=9), PERCENTS, STEPS)
def test_a_part_of_a_position_is_some_of_it_and_never_more(
    held: Decimal, percent: Decimal, step: Decimal
) -> None:
    part = part_of_position(held, percent, step)
    assert 0 < part <= held
    assert part % step == 0 or part == held
    exact = Fraction(held) * Fraction(percent) / 100
    assert part <= exact or part <= step
    assert part + step > exact
