"""What an entry is to be protected by is kept with it; what no broker could place is refused before."""

from decimal import Decimal
from typing import Any

import pytest

from orders.intake.gates import pass_gates
from orders.intake.problem import ProblemError, ProblemType
from orders.models import Strategy, TradeStyle
from orders.protection import protection_from_dict
from tests.factories.alerts import make_alert, record_manual, record_one
from tests.factories.traders import Desk

pytestmark = pytest.mark.django_db

BOTH: dict[str, Any] = {"stop_loss": {"percent": "2"}, "take_profit": "120.50"}


def test_an_alerts_exits_are_kept_with_its_order(desk: Desk) -> None:
    order = record_one(desk, **BOTH)
    assert order.protection == {"stop_loss": {"percent": "2"}, "take_profit": {"price": "120.50"}}
    order.refresh_from_db()
    kept = protection_from_dict(order.protection or {})
    assert kept.take_profit is not None
    assert kept.take_profit.price == Decimal("120.5")


def test_an_entry_without_keeps_nothing(desk: Desk) -> None:
    assert record_one(desk).protection is None


@pytest.mark.parametrize(
    ("style", "takes_profit", "kept"),
    [
        (TradeStyle.SWING, None, {"stop_loss", "take_profit"}),
        (TradeStyle.DAY, None, {"stop_loss"}),
        (TradeStyle.SCALP, None, {"stop_loss"}),
        (TradeStyle.DAY, True, {"stop_loss", "take_profit"}),
        (TradeStyle.SWING, False, {"stop_loss"}),
    ],
)
def test_the_style_says_whether_targets_are_placed(
    desk: Desk, style: TradeStyle, takes_profit: bool | None, kept: set[str]
) -> None:
    Strategy.objects.filter(pk=desk.strategy.pk).update(trade_style=style, takes_profit=takes_profit)
    desk.strategy.refresh_from_db()
    order = record_one(desk, **BOTH)
    assert set(order.protection or {}) == kept


def test_a_manual_entry_has_its_exits_too(desk: Desk) -> None:
    order = record_manual(
        desk,
        side="buy",
        quantity="3",
        stop_loss={"offset": "1.5"},
        trailing=None,  # type: ignore[arg-type]
    )
    assert order.protection == {"stop_loss": {"offset": "1.5"}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"quantity": "1.5", **BOTH}, {"take_profit"}),
        ({"trailing": "2", "take_profit": {"percent": "3"}}, {"take_profit"}),
        ({"trailing": "2", "stop_loss": {"percent": "3"}}, {"trailing"}),
        ({"trailing": {"price": "110", "offset": "2"}}, {"trailing"}),
    ],
)
def test_what_the_broker_cannot_place_is_refused_by_field(
    desk: Desk, fields: dict[str, Any], named: set[str]
) -> None:
    with pytest.raises(ProblemError) as refused:
        pass_gates(desk.strategy, [desk.account], make_alert(desk, **fields))
    problem = refused.value.problem
    assert problem.kind is ProblemType.INVALID_ALERT
    assert {error.field for error in problem.errors} == named


def test_what_it_can_place_passes(desk: Desk) -> None:
    pass_gates(desk.strategy, [desk.account], make_alert(desk, **BOTH))
    pass_gates(desk.strategy, [desk.account], make_alert(desk, trailing={"percent": "1"}))


def test_a_target_that_is_not_placed_hinders_nothing(desk: Desk) -> None:
    desk.strategy.trade_style = TradeStyle.DAY
    pass_gates(desk.strategy, [desk.account], make_alert(desk, quantity="1.5", **BOTH))
