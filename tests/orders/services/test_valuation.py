"""Positions are valued by the quotes that were fetched, and their books stay as they are."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from brokers.errors import OutcomeUnknown
from orders.models import Errand, Position, Quote
from orders.services.leases import Fence
from orders.services.marks import MARK_COLUMNS
from orders.services.valuation import value_position, write_valuation_errands
from tasks import sweeps
from tasks.fleet.errands import run_errand
from tests.factories.adapters import ScriptedAdapter
from tests.factories.hours import close_market, open_market
from tests.factories.quotes import keep_quote, make_quote
from tests.factories.sending import hold
from tests.factories.traders import Desk, make_desk

pytestmark = pytest.mark.django_db
BOOKS = ("qty", "cost", "realized_pnl", "fees", "cash", "booked_at", "booked_exec_id")


def position_of(desk: Desk) -> Position:
    return Position.objects.get(account=desk.account, symbol="AAPL")


def value(desk: Desk, price: str | None, **fields: float) -> Position:
    keep_quote(desk.account, price, **fields)
    return value_position(position_of(desk))


def books(position: Position) -> list[object]:
    return [getattr(position, name) for name in BOOKS]


def marks(position: Position) -> list[object]:
    return [getattr(position, name) for name in MARK_COLUMNS]


@pytest.mark.parametrize(
    ("action", "value_", "pnl", "pct"), [("buy", 1100, 100, 10), ("short_entry", -1100, -100, -10)]
)
def test_a_position_is_valued(desk: Desk, action: str, value_: int, pnl: int, pct: int) -> None:
    hold(desk, "10", action)
    before = books(position_of(desk))
    value(desk, "110")
    position = position_of(desk)
    assert marks(position)[:4] == [110, value_, pnl, pct]
    assert position.quote_time == Quote.objects.get().quote_time
    assert timezone.now() - position.valued_at < dt.timedelta(seconds=10)
    assert books(position) == before


def test_without_a_quote_the_old_value_stays_with_its_time(desk: Desk) -> None:
    hold(desk, "10")
    assert marks(value(desk, None)) == [None] * 6
    valued = marks(value(desk, "110"))
    value(desk, None)
    assert marks(position_of(desk)) == valued
    value(desk, "120", age_seconds=600)
    assert marks(position_of(desk)) == valued, "an older quote says nothing new"


def test_a_fill_has_the_value_follow_and_a_flat_position_has_none(desk: Desk) -> None:
    hold(desk, "10")
    quoted_at = value(desk, "110").quote_time
    hold(desk, "5")
    position = position_of(desk)
    assert (position.market_value, position.unrealized_pnl, position.quote_time) == (1650, 150, quoted_at)
    hold(desk, "15", "close_long")
    assert position_of(desk).qty == 0
    assert marks(position_of(desk)) == [None] * 6
    assert marks(value(desk, "110")) == [None] * 6, "flat stays without a value"


def test_the_worker_fetches_and_values(desk: Desk, fence: Fence) -> None:
    hold(desk, "10")
    write_valuation_errands()
    errand = Errand.objects.get(kind=Errand.Kind.QUOTES)
    run_errand(errand, ScriptedAdapter(quoted=[make_quote("AAPL", "101", "103")]), fence)  # type: ignore[arg-type]
    assert position_of(desk).mark_px == 102
    with pytest.raises(OutcomeUnknown):
        run_errand(errand, ScriptedAdapter(quoted=OutcomeUnknown("silence")), fence)  # type: ignore[arg-type]
    assert position_of(desk).mark_px == 102


def asked() -> list[int]:
    """Return the traders who are to fetch quotes now, once: the errands are taken away."""
    write_valuation_errands()
    errands = Errand.objects.filter(kind=Errand.Kind.QUOTES)
    traders = sorted(errands.values_list("user", flat=True))
    errands.delete()
    return traders


def on_market(desk: Desk, code: str) -> None:
    desk.account.market = code
    desk.account.save()


def test_an_open_market_is_looked_at_each_time_and_a_closed_one_seldom(desk: Desk, settings: object) -> None:
    settings.VALUATION_QUIET_SECONDS = 600  # type: ignore[attr-defined]
    hold(desk, "10")
    on_market(desk, "XNYS")
    open_market()
    keep_quote(desk.account, "100")
    assert asked() == [desk.user.pk]
    on_market(desk, "XTAI")
    close_market("XTAI")
    assert asked() == []
    Quote.objects.update(fetched_at=timezone.now() - dt.timedelta(seconds=601))
    assert asked() == [desk.user.pk]


def test_who_holds_nothing_is_left_alone(desk: Desk) -> None:
    hold(desk, "10")
    hold(desk, "10", "close_long")
    make_desk()
    write_valuation_errands()
    assert not Errand.objects.exists()


def test_the_sweep_asks_for_those_who_hold_something(desk: Desk) -> None:
    hold(desk, "10")
    sweeps.valuation()
    assert Errand.objects.get().kind == Errand.Kind.QUOTES


def test_each_account_has_its_turn_between_two_sweeps(desk: Desk, settings: Any) -> None:
    settings.SWEEP_VALUATION_SECONDS = 60
    desks = [desk, *(make_desk() for _ in range(9))]
    for one in desks:
        hold(one, "10")
    before = timezone.now()
    write_valuation_errands()
    assert Errand.objects.count() == 10
    turns = {errand.account_id: errand.due_at - before for errand in Errand.objects.all()}
    assert all(dt.timedelta(0) <= turn < dt.timedelta(seconds=49) for turn in turns.values())
    assert len(set(turns.values())) > 5, "all at once"
    Errand.objects.all().delete()
    later = timezone.now()
    write_valuation_errands()
    again = {errand.account_id: errand.due_at - later for errand in Errand.objects.all()}
    assert all(abs(again[account] - turn) < dt.timedelta(seconds=5) for account, turn in turns.items())
