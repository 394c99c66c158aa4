from __future__ import annotations

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.intake.sizing import SizingCode, SizingError, cap_exit, size_order

D = Decimal
QUANTITIES = st.decimals(min_value="0.000000001", max_value="999999999999", places=9)
STEPS = st.sampled_from([D("1"), D("0.1"), D("0.001"), D("0.000000001"), D("100"), D("0.25"), D("3")])


@pytest.mark.parametrize(
    ("requested", "default", "step", "expected"),
    [
        ("10", None, "1", "10"),
        ("10.9", None, "1", "10"),
        (None, "5", "1", "5"),
        ("2", "5", "1", "2"),
        ("0.123456789", None, "0.000000001", "0.123456789"),
        ("0.37", None, "0.25", "0.25"),
        ("999999999999.999999999", None, "0.000000001", "999999999999.999999999"),
    ],
)
def test_sizes(requested: str | None, default: str | None, step: str, expected: str) -> None:
    size = size_order(
        D(requested) if requested else None,
        D(default) if default else None,
        lot_step=D(step),
        min_qty=D(0),
        max_qty=None,
    )
    assert size == D(expected)


@pytest.mark.parametrize(
    ("requested", "code"),
    [
        (None, SizingCode.NO_QUANTITY),
        (D(0), SizingCode.NOT_POSITIVE),
        (D(-1), SizingCode.NOT_POSITIVE),
        (D("NaN"), SizingCode.NOT_POSITIVE),
        (D("Infinity"), SizingCode.NOT_POSITIVE),
        (D("0.9"), SizingCode.BELOW_STEP),
        (D("4.9"), SizingCode.BELOW_MINIMUM),
        (D("100.1"), SizingCode.ABOVE_MAXIMUM),
    ],
)
def test_what_cannot_be_sized(requested: Decimal | None, code: SizingCode) -> None:
    with pytest.raises(SizingError) as caught:
        size_order(requested, None, lot_step=D(1), min_qty=D(5), max_qty=D(100))
    assert caught.value.code is code


@pytest.mark.parametrize("step", ["0", "-1", "NaN", "Infinity"])
def test_a_step_must_be_above_zero(step: str) -> None:
    with pytest.raises(ValueError, match="lot_step"):
        size_order(D(1), None, lot_step=D(step), min_qty=D(0), max_qty=None)


@given(QUANTITIES, STEPS)
def test_a_size_is_the_largest_multiple_that_was_asked_for(requested: Decimal, step: Decimal) -> None:
    try:
        size = size_order(requested, None, lot_step=step, min_qty=D(0), max_qty=None)
    except SizingError as error:
        assert error.code is SizingCode.BELOW_STEP
        assert requested < step
        return
    assert 0 < size <= requested
    with localcontext(Context(prec=60)):
        assert size % step == 0
        assert requested - size < step
    assert size_order(size, None, lot_step=step, min_qty=D(0), max_qty=None) == size


@given(QUANTITIES, STEPS, QUANTITIES, QUANTITIES)
def test_a_size_is_within_its_limits(requested: Decimal, step: Decimal, low: Decimal, high: Decimal) -> None:
    try:
        size = size_order(requested, None, lot_step=step, min_qty=low, max_qty=high)
    except SizingError as error:
        assert error.code in (SizingCode.BELOW_STEP, SizingCode.BELOW_MINIMUM, SizingCode.ABOVE_MAXIMUM)
    else:
        assert low <= size <= high


@given(QUANTITIES)
def test_a_small_context_of_the_caller_changes_nothing(requested: Decimal) -> None:
    step = D("0.000000001")
    with localcontext(Context(prec=3)):
        assert size_order(requested, None, lot_step=step, min_qty=D(0), max_qty=None) == requested


@given(st.none() | QUANTITIES, QUANTITIES)
def test_an_exit_never_turns_the_position(requested: Decimal | None, closable: Decimal) -> None:
    size = cap_exit(requested, closable)
    assert 0 < size <= closable
    assert size == (closable if requested is None else min(requested, closable))


@pytest.mark.parametrize("closable", [D(0), D(-5), D("NaN")])
def test_nothing_to_close(closable: Decimal) -> None:
    with pytest.raises(SizingError) as caught:
        cap_exit(D(1), closable)
    assert caught.value.code is SizingCode.NOTHING_TO_CLOSE


def test_an_exit_of_nothing() -> None:
    with pytest.raises(SizingError) as caught:
        cap_exit(D(0), D(1))
    assert caught.value.code is SizingCode.NOT_POSITIVE
