"""Every rule at its edge: not a step before it, and from there on."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.exit_rules import NO_RULES, Rule, Rules, Situation, better_mark, rule_met

MINUTE, MICROSECOND = dt.timedelta(minutes=1), dt.timedelta(microseconds=1)
LONG = {"qty": "10", "cost": "1000"}
SHORT = {"qty": "-10", "cost": "-1000"}

PRICES = {
    # what: (rules, position, best mark, the last mark that meets nothing, the first that meets, rule)
    "a gain, long": ({"profit_target_pct": "5"}, LONG, None, "104.999999999", "105", Rule.PROFIT_TARGET),
    "a gain, short": ({"profit_target_pct": "5"}, SHORT, None, "95.000000001", "95", Rule.PROFIT_TARGET),
    "a loss, long": ({"stop_loss_pct": "2.5"}, LONG, None, "97.500000001", "97.5", Rule.STOP_LOSS_RULE),
    "a loss, short": ({"stop_loss_pct": "2.5"}, SHORT, None, "102.499999999", "102.5", Rule.STOP_LOSS_RULE),
    "back from the best, long": (
        {"trailing_pct": "10"},
        LONG,
        "130",
        "117.000000001",
        "117",
        Rule.TRAILING_RULE,
    ),
    "back from the best, short": (
        {"trailing_pct": "10"},
        SHORT,
        "70",
        "76.999999999",
        "77",
        Rule.TRAILING_RULE,
    ),
    "back at a loss": ({"trailing_pct": "10"}, LONG, "90", "81.000000001", "81", Rule.TRAILING_RULE),
    "an average that has no end": (
        {"profit_target_pct": "1"},
        {"qty": "3", "cost": "100"},
        None,
        "33.666666666",
        "33.666666667",
        Rule.PROFIT_TARGET,
    ),
    "a short that loses more than it was sold for": (
        {"stop_loss_pct": "150"},
        SHORT,
        None,
        "249.999999999",
        "250",
        Rule.STOP_LOSS_RULE,
    ),
}


def rules(**values: Any) -> Rules:
    return Rules(**{name: Decimal(v) if isinstance(v, str) else v for name, v in values.items()})


def situation(**facts: Any) -> Situation:
    values = {"held": dt.timedelta(0)} | LONG | facts
    return Situation(**{name: Decimal(v) if isinstance(v, str) else v for name, v in values.items()})


@pytest.mark.parametrize(("set_", "position", "best", "before", "edge", "rule"), PRICES.values(), ids=PRICES)
def test_a_price_rule_fires_at_its_edge(
    set_: dict[str, str], position: dict[str, str], best: str | None, before: str, edge: str, rule: Rule
) -> None:
    facts = position | ({} if best is None else {"best_mark_px": best})
    assert rule_met(rules(**set_), situation(mark_px=before, **facts)) is None
    assert rule_met(rules(**set_), situation(mark_px=edge, **facts)) is rule


TIMES = {
    # what: (rules, facts just before, facts at the edge, rule)
    "held long": (
        {"max_hold_minutes": 90},
        {"held": 90 * MINUTE - MICROSECOND},
        {"held": 90 * MINUTE},
        Rule.MAX_HOLD,
    ),
    "expiry": ({"days_to_expiry": 3}, {"days_to_expiry": 4}, {"days_to_expiry": 3}, Rule.EXPIRY_NEAR),
    "expiry on the day": (
        {"days_to_expiry": 0},
        {"days_to_expiry": 1},
        {"days_to_expiry": 0},
        Rule.EXPIRY_NEAR,
    ),
    "after the expiry": ({"days_to_expiry": 0}, {}, {"days_to_expiry": -1}, Rule.EXPIRY_NEAR),
    "session end": (
        {"minutes_before_close": 15},
        {"to_close": 15 * MINUTE + MICROSECOND},
        {"to_close": 15 * MINUTE},
        Rule.SESSION_END,
    ),
}


@pytest.mark.parametrize(("set_", "before", "edge", "rule"), TIMES.values(), ids=TIMES)
def test_a_rule_of_time_fires_at_its_edge_and_needs_no_quote(
    set_: dict[str, int], before: dict[str, Any], edge: dict[str, Any], rule: Rule
) -> None:
    assert not rules(**set_).need_quote
    assert rule_met(rules(**set_), situation(**before)) is None
    assert rule_met(rules(**set_), situation(**edge)) is rule


@pytest.mark.parametrize(
    "set_", [{"profit_target_pct": "1"}, {"stop_loss_pct": "1"}, {"trailing_pct": "1"}], ids=str
)
def test_without_a_fresh_quote_no_price_rule_is_met(set_: dict[str, str]) -> None:
    assert rules(**set_).need_quote
    assert rule_met(rules(**set_), situation(mark_px=None, best_mark_px="100")) is None


def test_what_does_not_expire_and_what_never_closes_meets_no_such_rule() -> None:
    assert rule_met(rules(days_to_expiry=300, minutes_before_close=1440), situation()) is None


def test_what_was_had_for_nothing_has_no_percentage() -> None:
    assert rule_met(rules(profit_target_pct="1", stop_loss_pct="1"), situation(cost="0", mark_px="5")) is None


def test_a_loss_is_named_before_anything_else_that_is_met() -> None:
    every = rules(
        profit_target_pct="1", stop_loss_pct="1", trailing_pct="1", max_hold_minutes=1, days_to_expiry=1,
        minutes_before_close=1,
    )  # fmt: skip
    now = situation(mark_px="50", best_mark_px="100", held=MINUTE, days_to_expiry=0, to_close=MINUTE)
    assert rule_met(every, now) is Rule.STOP_LOSS_RULE
    assert rule_met(NO_RULES, now) is None


def test_a_strategys_own_rules_take_the_place_of_the_defaults_one_by_one() -> None:
    defaults = rules(profit_target_pct="5", stop_loss_pct="2", days_to_expiry=3)
    own = rules(profit_target_pct="9", days_to_expiry=0, max_hold_minutes=60)
    assert defaults.overridden_by(own) == rules(
        profit_target_pct="9", stop_loss_pct="2", days_to_expiry=0, max_hold_minutes=60
    )
    assert defaults.overridden_by(NO_RULES) == defaults


@pytest.mark.parametrize(
    ("qty", "best", "mark", "expected"),
    [
        ("1", None, "5", "5"),
        ("1", "6", "5", "6"),
        ("1", "5", "6", "6"),
        ("-1", "6", "5", "5"),
        ("-1", "5", "6", "5"),
    ],
)
def test_the_better_mark(qty: str, best: str | None, mark: str, expected: str) -> None:
    was = None if best is None else Decimal(best)
    assert better_mark(Decimal(qty), was, Decimal(mark)) == Decimal(expected)


prices = st.decimals("0.01", "10000", places=4)
quantities = st.decimals("0.001", "1000", places=3)
percents = st.decimals("0.01", "500", places=2)


@given(prices, prices, quantities, percents, st.booleans())
def test_a_gain_and_a_loss_mirror_each_other(
    entry: Decimal, mark: Decimal, size: Decimal, pct: Decimal, is_long: bool
) -> None:
    """A long position's gain rule is met exactly where the short one's loss rule is, and where the ratio says so."""
    qty = size if is_long else -size
    gain = rule_met(Rules(profit_target_pct=pct), situation(qty=qty, cost=qty * entry, mark_px=mark))
    loss = rule_met(Rules(stop_loss_pct=pct), situation(qty=-qty, cost=-qty * entry, mark_px=mark))
    away = (mark - entry) if is_long else (entry - mark)
    expected = away * 100 >= pct * entry
    assert (gain is Rule.PROFIT_TARGET, loss is Rule.STOP_LOSS_RULE) == (expected, expected)


@given(st.lists(prices, min_size=1, max_size=30), percents, st.booleans())
def test_trailing_fires_first_where_a_loop_says_so(marks: list[Decimal], pct: Decimal, is_long: bool) -> None:
    qty, best, fired = Decimal(1 if is_long else -1), None, None
    for index, mark in enumerate(marks):
        best = better_mark(qty, best, mark)
        now = situation(qty=qty, cost=qty, mark_px=mark, best_mark_px=best)
        if fired is None and rule_met(Rules(trailing_pct=pct), now):
            fired = index
    expected = None
    for index, mark in enumerate(marks):
        extreme = max(marks[: index + 1]) if is_long else min(marks[: index + 1])
        lost = (extreme - mark if is_long else mark - extreme) / extreme * 100
        if expected is None and lost >= pct:
            expected = index
    assert fired == expected
